"""A branch expressed as a run, for the trainer's loop."""

from typing import Any

import a_run
import pytest

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.objectives.anneal import branch_run
from lccp_trainer.schedule import learning_rate

STEP = 1_000
BUDGET = 100 * STEP
ANNEAL = {"atTokens": [9_999, 40_000], "tokens": 10_000, "finalFraction": "0.1"}


def spec(anneal: dict[str, Any] = ANNEAL, **schedule: Any) -> LCCPRunSpec:
    given = a_run.run(checkpoints={"everyTokens": 20_000}).spec
    document = given.document()
    document["model"]["targetContextLength"] = 500
    document["evaluation"] = {"baseline": True}
    document["training"] |= {
        "tokens": BUDGET,
        "globalBatchTokens": STEP,
        "learningRate": "1e-3",
        "schedule": schedule,
    }
    document["checkpoints"]["anneal"] = anneal
    return LCCPRunSpec.parse(document, "spec")


def test_a_branch_begins_with_the_step_that_reaches_its_point() -> None:
    assert spec().branch_points == (10_000, 40_000)


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [({"type": "Constant"}, 1e-3), ({"type": "Linear", "finalFraction": "0"}, 0.6e-3)],
)
def test_the_rate_falls_along_a_line_from_that_of_the_run(
    schedule: dict[str, str], rate: float
) -> None:
    branch = branch_run(spec(**schedule), 40_000)
    rates = [learning_rate(branch.trained, tokens) for tokens in (40_000, 45_000, 50_000)]
    assert rates == pytest.approx([rate, 0.55 * rate, 0.1 * rate])


def test_its_one_checkpoint_is_its_end_and_it_is_no_branch_point_itself() -> None:
    branch = branch_run(spec(), 10_000)
    assert branch.checkpoints.due(branch.trained.tokens) == (20_000,)
    assert branch.branch_points == ()
    assert not branch.evaluation.baseline
    assert LCCPRunSpec.parse(branch.document(), "spec") == branch


def test_all_else_is_as_in_the_run() -> None:
    given, branch = spec(), branch_run(spec(), 10_000)
    own = {"tokens", "learning_rate", "schedule"}
    assert branch.trained.model_dump(exclude=own) == given.trained.model_dump(exclude=own)
    assert (branch.data, branch.model, branch.topology) == (given.data, given.model, given.topology)


@pytest.mark.parametrize("tokens", [9_999, 20_000])
def test_a_branch_that_was_not_asked_for_is_refused(tokens: int) -> None:
    with pytest.raises(InvalidInput, match=r"^environment: LCCP_BRANCH: .* begin at 10000, 40000$"):
        branch_run(spec(), tokens)


def test_a_branch_without_a_rate_to_decay_is_refused() -> None:
    late = ANNEAL | {"atTokens": [BUDGET - 1]}
    with pytest.raises(InvalidInput, match=r"^checkpoints\.anneal\.atTokens: .* 0 at 100000"):
        branch_run(spec(late, type="Linear", finalFraction="0"), BUDGET)
