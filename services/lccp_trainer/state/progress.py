"""How far a run is: steps, tokens, and where its data is; as an object of a state."""

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
    """Losses and gradient norms that the guard against spikes compares with."""


@dataclass(frozen=True)
class Told:
    """What a state tells beside the point that it was saved at."""

    optimizer_steps: int
    """Steps that the optimizer has made; those left out don't count."""
    budget: int
    """Tokens of the budget that it was saved under."""
    with_checkpoint: bool
    """Whether a checkpoint of the same tokens was asked for."""


def to_json(point: Point, told: Told) -> bytes:
    """The object."""
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


def from_json(data: bytes) -> tuple[Point, Told]:
    """What `to_json` wrote. Raises ValueError or KeyError if it is damaged."""
    document = json.loads(data)
    losses, norms = (tuple(values) for values in document["typical"])
    position = Position.of(document["data"])
    point = Point(document["step"], document["tokens"], position, (losses, norms))
    told = (document[name] for name in ("optimizerSteps", "budget", "withCheckpoint"))
    return point, Told(*told)
