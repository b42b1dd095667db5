"""A model, and the way of reading it that the leading process found."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.ways import go
from lccp_evaluator.spread.shards import loaded


@dataclass(frozen=True)
class Opening:
    """What another process needs to read like the leading one."""

    directory: Path
    plan: ExecutionPlan
    """The plan, with its way."""
    trust_remote_code: bool
    watches: bool

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        """The model, ready to read. Raises as `loaded` does."""
        plan = self.plan
        plan.enter()
        with loaded(self.directory, plan, self.trust_remote_code) as found:
            assert plan.way is not None
            go(found.model, plan.way)
            yield Engine(found.model, plan.way, plan.step_tokens, self.watches, plan.head_rows)
