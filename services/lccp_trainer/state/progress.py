"""The progress of a run: steps, tokens, and position in the data; as an object of a state."""

import json
from dataclasses import dataclass

from lccp_trainer.data.packing import Position

FILE = "progress.json"


@dataclass(frozen=True)
class Point:
    """A point between two steps of a run."""

    step: int
    tokens: int
    position: Position
    typical: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    """Losses and gradient norms with which the guard against spikes compares."""


@dataclass(frozen=True)
class StateProgress:
    """What a state records besides the point at which it was saved."""

    optimizer_steps: int
    """Steps that the optimizer has made; skipped steps don't count."""
    budget: int
    """Tokens of the budget in force when it was saved."""
    with_checkpoint: bool
    """Whether a checkpoint of the same tokens was requested."""


def to_json(point: Point, told: StateProgress) -> bytes:
    """The object's bytes."""
    document = {
        "step": point.step,
        "tokens": point.tokens,
        "optimizerSteps": told.optimizer_steps,
        "budget": told.budget,
        "withCheckpoint": told.with_checkpoint,
        "typical": point.typical,
        "data": point.position.plain(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def from_json(data: bytes) -> tuple[Point, StateProgress]:
    """The arguments of `to_json` that gave `data`. Raises ValueError or KeyError if damaged."""
    document = json.loads(data)
    losses, norms = (tuple(values) for values in document["typical"])
    position = Position.of(document["data"])
    point = Point(document["step"], document["tokens"], position, (losses, norms))
    told = (document[name] for name in ("optimizerSteps", "budget", "withCheckpoint"))
    return point, StateProgress(*told)
