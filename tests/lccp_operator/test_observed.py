"""Which installation a run belongs to."""

import pytest

from lccp_operator.observed import Owner


@pytest.mark.parametrize(
    ("owner", "may_have"),
    [(None, True), ("", True), ("lab/lccp@1", True), ("gone", True), ("other", False)],
    ids=["nobody's", "a laptop's", "its own", "adopted", "another's"],
)
def test_an_installation_has_its_own_runs_and_those_that_it_adopts(
    owner: str | None, may_have: bool
) -> None:
    assert Owner("lab/lccp@1", frozenset({"gone"})).may_have(owner) is may_have


def test_a_laptop_leaves_the_runs_of_installations_alone() -> None:
    assert Owner().may_have(None)
    assert not Owner().may_have("lab/lccp@1")
