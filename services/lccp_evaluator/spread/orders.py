"""Orders to the other processes of an evaluation, and their report of a failure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lccp.contract.errors import LccpError
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.passes.passage import Heads, Passage


@dataclass(frozen=True)
class Job:
    """Passages that are read together, with or without masked heads."""

    passages: Sequence[Passage]
    masked: Heads = ()


@dataclass(frozen=True)
class ModelShard:
    """A model of which a process holds the shard `rank`; all processes meet at a file."""

    directory: Path
    plan: ExecutionPlan
    trust_remote_code: bool
    rank: int
    meeting: Path


Form = tuple[torch.Size, torch.dtype]


@dataclass(frozen=True)
class ExpertCall:
    """A call of the experts of one layer, numbered among the layers with experts.

    Its arguments follow, tensor by tensor, from the leading process.
    """

    layer: int
    given: Sequence[Form]
    named: Mapping[str, Form]


@dataclass(frozen=True)
class Failed:
    """A process's answer to an order that failed."""

    error: LccpError | MemoryError | RuntimeError
