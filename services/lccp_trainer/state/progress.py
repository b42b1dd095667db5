"""How far a run is: steps, tokens, and where its data is; as an object of a state."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lccp_trainer.data.packing import Cursor
from lccp_trainer.data.stream import Position

FILE = "progress.json"


@dataclass(frozen=True, eq=False)
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
        "rows": point.position.rows,
        "cursors": [_plain(cursor) for cursor in point.position.cursors],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def from_json(data: bytes) -> tuple[Point, int]:
    """What `to_json` wrote. Raises ValueError or KeyError if it is damaged."""
    document = json.loads(data)
    cursors = tuple(_cursor(plain) for plain in document["cursors"])
    position = Position(tuple(document["rows"]), cursors)
    point = Point(document["step"], document["tokens"], position)
    return point, document["optimizerSteps"]


def _plain(cursor: Cursor) -> dict[str, Any]:
    lists = {name: [t.tolist() for t in getattr(cursor, name)] for name in ("whole", "short")}
    return asdict(cursor) | lists


def _cursor(plain: dict[str, Any]) -> Cursor:
    arrays = {
        name: tuple(np.array(tokens, dtype=np.int32) for tokens in plain[name])
        for name in ("whole", "short")
    }
    return Cursor(**(plain | arrays))
