"""What an attempt trains: each objective makes it from the trainer's orders."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lccp.api.run import LCCPRunSpec
from lccp_trainer.data.stream import Stream
from lccp_trainer.objectives.held_out import HeldOut


@dataclass(frozen=True)
class Task:
    """A training: its model, its data, its method and its purpose."""

    spec: LCCPRunSpec
    directory: Path
    """The model to start from."""
    config: Any
    source_context: int
    """Context length of that model, tokens."""
    stream: Stream
    module: Callable[[Any], torch.nn.Module]
    """Wraps the model in its loss."""
    extendable: bool
    """Whether a state is kept at its end, for a later attempt with a higher budget."""
    held_out: HeldOut | None = None
    """What is measured at each checkpoint; None: nothing."""
