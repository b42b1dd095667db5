"""What a follower is told to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lccp.contract.errors import LccpError
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.loading import load_model
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Heads, Passage
from lccp_evaluator.passes.ways import go


@dataclass(frozen=True)
class Opening:
    """A model, and how the process that leads has found that it can be read."""

    directory: Path
    plan: ExecutionPlan
    """With its way."""
    trust_remote_code: bool
    watches: bool

    def engine(self) -> Engine:
        """The model, ready to read. Raises as `load_model` does."""
        plan = self.plan
        plan.enter()
        model = load_model(self.directory, plan, self.trust_remote_code).model
        assert plan.way is not None
        go(model, plan.way)
        return Engine(model, plan.way, plan.step_tokens, self.watches, plan.head_rows)


@dataclass(frozen=True)
class Job:
    """Passages that are read together, with heads masked or none."""

    passages: Sequence[Passage]
    masked: Heads = ()


@dataclass(frozen=True)
class Failed:
    """What a follower answers if it could not do it."""

    error: LccpError | MemoryError | RuntimeError
