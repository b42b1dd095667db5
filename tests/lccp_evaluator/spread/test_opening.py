"""A follower's opening suffices to recreate the engine of the leading process."""

from pathlib import Path

from tiny_checkpoints import a_checkpoint

from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.spread.opening import Opening


def test_an_opening_makes_the_engine_of_its_plan(tmp_path: Path) -> None:
    plan = ExecutionPlan.here(Execution("cpu", step_tokens=96)).model_copy(update={"way": "Whole"})

    with Opening(a_checkpoint(tmp_path), plan, False, watches=False).engine() as engine:
        pass

    assert (engine.way, engine.step_tokens, engine.watches) == ("Whole", 96, False)
    assert not engine.model.training
