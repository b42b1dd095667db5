"""Whatever the layout, the steps are those of plain PyTorch: losses, gradient norms and weights.

benchmarks/exactness.py compares every family; here are the rows that differ most.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from equality import Differences, Outcome, make_model, plain, trained

from layouts import TESTED, Case

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

SAVING = (
    Case("hunyuan_v1_moe", 2, zero_stage=1, steps=2, saves="dp2"),
    Case("hunyuan_v1_moe", 2, zero_stage=3, sequence=2, experts=2, steps=2, saves="sp2ep2"),
    Case("hunyuan_v1_moe", 2, zero_stage=2, sequence=2, steps=2, saves="sp2"),
    Case("hunyuan_v1_moe", 2, zero_stage=1, experts=2, steps=2, saves="ep2"),
)
ALONE = Case("hunyuan_v1_moe", 1, zero_stage=1, steps=2, saves="one")
RESUMING = (
    Case("hunyuan_v1_moe", 1, zero_stage=1, resumes="dp2"),
    Case("hunyuan_v1_moe", 1, zero_stage=0, resumes="sp2ep2"),
    Case("hunyuan_v1_moe", 1, zero_stage=3, resumes="sp2"),
    Case("hunyuan_v1_moe", 1, zero_stage=1, resumes="ep2"),
    Case("hunyuan_v1_moe", 2, zero_stage=3, experts=2, resumes="one"),
    Case("hunyuan_v1_moe", 2, zero_stage=2, sequence=2, experts=2, resumes="dp2"),
    Case("hunyuan_v1_moe", 2, zero_stage=3, resumes="sp2ep2"),
    Case("hunyuan_v1_moe", 4, zero_stage=1, sequence=2, experts=4, resumes="dp2"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("equality")
    (root / "store").mkdir()
    for case in TESTED:
        make_model(case.family, root)
    return root


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[Case, Outcome]:
    """What each case came to; states are saved on one and on two processes first."""
    outcomes = trained([ALONE], folder)
    for processes in (2, 1, 4):
        cases = (*TESTED, *SAVING, *RESUMING)
        outcomes |= trained([case for case in cases if case.processes == processes], folder)
    return outcomes


@pytest.fixture(scope="module")
def expected(folder: Path) -> Callable[[Case], Outcome]:
    """What plain PyTorch comes to, once for each family."""
    made = cache(plain)
    return lambda case: made(case.family, folder / case.family, case.steps)


@pytest.mark.parametrize("case", TESTED, ids=lambda case: case.name)
def test_the_steps_are_those_of_plain_pytorch(
    case: Case, found: dict[Case, Outcome], expected: Callable[[Case], Outcome]
) -> None:
    right = expected(case)
    assert set(found[case].weights) == set(right.weights)
    assert Differences.of(found[case], right).small


@pytest.mark.parametrize("case", RESUMING, ids=lambda case: case.name)
def test_a_state_goes_on_at_another_world_size_and_layout(
    case: Case, found: dict[Case, Outcome], expected: Callable[[Case], Outcome]
) -> None:
    right = expected(case)
    after = Outcome(right.losses[2:], right.norms[2:], right.weights, right.held_out)
    assert Differences.of(found[case], after).small
