"""Several processes read the passages of one evaluation."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkpoints import a_checkpoint

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.spread.orders import Job, Opening
from lccp_evaluator.spread.team import ProcessLost, Team

JOBS = {
    number: Job([Passage(np.arange(number, number + 24), (20, 24), (2, 6))]) for number in range(4)
}


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Opening:
    plan = ExecutionPlan.here(Execution("cpu", processes=2)).model_copy(update={"way": "Forked"})
    return Opening(a_checkpoint(tmp_path_factory.mktemp("model")), plan, False, watches=True)


def test_followers_read_what_the_leader_would(opening: Opening) -> None:
    read: dict[int, list[Reading]] = {}
    by_leader: set[int] = set()
    engine = opening.engine()

    def own(number: int, job: Job) -> list[Reading]:
        by_leader.add(number)
        while len(by_leader) + len(read) < len(JOBS) and not set(read) - by_leader:
            os.sched_yield()  # until a follower has read one
        return engine.read(job.passages)

    with Team(2) as team:
        team.read(JOBS, opening, own, read.__setitem__)

    assert len(by_leader) < len(JOBS)
    for number, job in JOBS.items():
        (found,), (wanted,) = read[number], engine.read(job.passages)
        np.testing.assert_allclose(found.nll, wanted.nll, atol=1e-6)
        assert (found.copied == wanted.copied).all()
        np.testing.assert_allclose(found.mass, wanted.mass, atol=1e-6)


def test_a_process_that_dies_fails_the_evaluation(opening: Opening) -> None:
    def own(number: int, job: Job) -> list[Reading]:
        (follower,) = team._followers
        os.kill(follower._process.pid, signal.SIGKILL)
        return []

    def done(number: int, readings: list[Reading]) -> None:
        """Keep nothing."""

    with Team(2) as team, pytest.raises(ProcessLost, match=r"process 1 of .* 2 .* was killed"):
        team.read(JOBS, opening, own, done)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (Job([Passage(np.arange(24), (20, 24), bands=2)]), "experts"),
        (Job([Passage(np.full(24, 10**6), (20, 24))]), "IndexError"),
    ],
)
def test_what_a_follower_fails_of_is_told(opening: Opening, wrong: Job, sentence: str) -> None:
    with Team(2) as team, pytest.raises((InvalidInput, RuntimeError), match=sentence):
        team.read({0: wrong, 1: wrong}, opening, _waiting(team), _kept)


def _waiting(team: Team) -> Any:
    def own(number: int, job: Job) -> list[Reading]:
        (follower,) = team._followers
        follower._process.wait()
        return []

    return own


def _kept(number: int, readings: list[Reading]) -> None:
    """Keep nothing."""


def test_followers_end_with_the_team(opening: Opening) -> None:
    with Team(2) as team:
        team.read(JOBS, opening, lambda number, job: [], _kept)
        (follower,) = team._followers
        assert follower._process.poll() is None

    assert follower._process.poll() is not None


def test_devices_that_are_not_there_are_refused(opening: Opening) -> None:
    plan = opening.plan.model_copy(update={"device": "cuda"})
    there = Opening(Path("nowhere"), plan, False, watches=True)

    with Team(2) as team, pytest.raises(InvalidInput, match=r"has 0: lower evaluation\.processes"):
        team.read(JOBS, there, lambda number, job: [], _kept)
