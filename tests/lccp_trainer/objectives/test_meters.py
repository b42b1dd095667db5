import pytest
import torch
from plain_engine import alone

from lccp_trainer.objectives.meters import Meter


class Counts(Meter):
    """Two counts."""

    def __init__(self) -> None:
        super().__init__(2, torch.device("cpu"))

    def add(self, number: int) -> None:
        self._own[number] += 1

    def take(self) -> list[float]:
        return self._taken().tolist()


def test_what_was_given_is_not_given_again_and_counts_once_it_is_received() -> None:
    counts = Counts()
    for number in (0, 1, 1):
        counts.add(number)
    given = counts.give()

    assert given.tolist() == [1, 2]
    assert counts.give().tolist() == counts.take() == [0, 0]
    for times in (1, 2):
        counts.receive(times * given)
    assert counts.take() == [3, 6]
    assert counts.take() == [0, 0]


@pytest.mark.parametrize("gang", [False, True])
def test_a_meter_can_be_exchanged_by_itself(gang: bool) -> None:
    counts = Counts()
    counts.add(1)
    if gang:
        with alone():
            counts.exchange()
    else:
        counts.exchange()
    assert counts.take() == [0, 1]
