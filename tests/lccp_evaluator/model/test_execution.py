"""How a run's checkpoints are computed, fixed at the first one."""

import a_run
import pytest
import torch

from lccp.contract.errors import Incompatible, InvalidInput
from lccp_evaluator.model.execution import (
    AS_SUITS,
    LEAST_STEP_TOKENS,
    STEP_TOKENS,
    Execution,
    ExecutionPlan,
    first_plan,
)

PLAN = ExecutionPlan(device="cpu", dtype="float32", threads=2, step_tokens=64)


def test_a_plan_is_what_was_asked_for_and_else_what_suits() -> None:
    asked = ExecutionPlan.here(Execution("cpu", "bfloat16", 7))
    suits = ExecutionPlan.here(Execution("cpu"))

    assert (asked.dtype, asked.step_tokens) == ("bfloat16", 7)
    assert asked.torch_dtype is torch.bfloat16
    assert (suits.dtype, suits.step_tokens) == ("float32", STEP_TOKENS["cpu"])
    assert suits.torch_dtype is torch.float32
    assert suits.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        (Execution(device="cuda"), "--device"),
        (Execution(dtype="bfloat16"), "--dtype"),
    ],
)
def test_another_plan_than_that_of_the_first_checkpoint_is_refused(
    asked: Execution, option: str
) -> None:
    with pytest.raises(Incompatible, match=f"^{option}: the first checkpoint in out was"):
        asked.onto(PLAN, "out")


def test_what_was_used_may_be_asked_for_and_passes_of_another_size() -> None:
    assert Execution("cpu", "float32", 64).onto(PLAN, "out") == PLAN
    assert AS_SUITS.onto(PLAN, "out") == PLAN
    assert Execution(step_tokens=65).onto(PLAN, "out").step_tokens == 65


def test_passes_are_halved_as_long_as_prompts_are_cut_and_passes_long() -> None:
    shared = PLAN.model_copy(update={"way": "Forked", "step_tokens": 2 * LEAST_STEP_TOKENS})
    halved = shared.halved(1_000, may_cut=False)

    assert halved == shared.model_copy(update={"step_tokens": LEAST_STEP_TOKENS})
    assert halved.halved(1_000, may_cut=False) is None
    assert shared.model_copy(update={"way": "Whole"}).halved(1_000, may_cut=False) is None
    assert shared.model_copy(update={"way": "Stepped"}).halved(1_000, may_cut=False) is not None


@pytest.mark.parametrize(("longest", "tokens"), [(10_000, 512), (700, 350)])
def test_whole_prompts_are_cut_if_the_model_reads_on_from_its_own_cache(
    longest: int, tokens: int
) -> None:
    whole = PLAN.model_copy(update={"way": "Native", "step_tokens": 512})
    cut = whole.halved(longest, may_cut=True)

    assert cut == whole.model_copy(update={"way": "Cached", "step_tokens": tokens})
    assert cut.halved(longest, may_cut=True).step_tokens == tokens // 2
    assert whole.halved(100, may_cut=True) is None
    assert whole.model_copy(update={"shards": 2}).halved(longest, may_cut=True) is None


def test_what_memory_is_too_small_for_is_told() -> None:
    passes = PLAN.model_copy(update={"way": "Stepped", "step_tokens": 64}).too_large(1_000)
    assert passes.startswith("not enough memory for a prompt of 1,000 tokens, which is read in ")
    assert "in passes of 64: give" in passes
    whole = PLAN.model_copy(update={"way": "Native", "reason": "its mask is its own"})
    assert "read in one pass (its mask is its own): give shorter" in whole.too_large(1_000)


def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(InvalidInput, match="this machine has no CUDA device"):
        PLAN.model_copy(update={"device": "cuda"}).enter()
    assert ExecutionPlan.here().device == "cpu"


def test_the_plan_is_that_of_the_first_report() -> None:
    first = a_run.report(0).model_copy(update={"execution_plan": PLAN.document()})

    assert first_plan([first, a_run.report(8_192)]) == PLAN
    assert first_plan([]) is None
