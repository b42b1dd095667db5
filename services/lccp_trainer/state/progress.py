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


def to_json(point: Point, optimizer_steps: int) -> bytes:
    """The object: `point`, and the steps that the optimizer has made."""
    document = {
        "step": point.step,
        "tokens": point.tokens,
        "optimizerSteps": optimizer_steps,
        "data": point.position.plain(),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def from_json(data: bytes) -> tuple[Point, int]:
    """What `to_json` wrote. Raises ValueError or KeyError if it is damaged."""
    document = json.loads(data)
    point = Point(document["step"], document["tokens"], Position.of(document["data"]))
    return point, document["optimizerSteps"]
