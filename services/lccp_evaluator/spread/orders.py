"""What the other processes of an evaluation are told, and how they tell that they failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lccp.contract.errors import LccpError
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.passes.passage import Heads, Passage


@dataclass(frozen=True)
class Job:
    """Passages that are read together, with heads masked or none."""

    passages: Sequence[Passage]
    masked: Heads = ()


@dataclass(frozen=True)
class Share:
    """A model of which a process is to hold the shard `rank`; all meet at a file."""

    directory: Path
    plan: ExecutionPlan
    trust_remote_code: bool
    rank: int
    meeting: Path


Form = tuple[torch.Size, torch.dtype]


@dataclass(frozen=True)
class Call:
    """Experts of the layer of that number among those that have some are called.

    What they are given follows, tensor by tensor, from the process that leads.
    """

    layer: int
    given: Sequence[Form]
    named: Mapping[str, Form]


@dataclass(frozen=True)
class Failed:
    """What a process answers if it could not do it."""

    error: LccpError | MemoryError | RuntimeError
