import json

import pytest

from lccp_trainer.data.packing import Cursor, Piece, Position
from lccp_trainer.state.progress import Point, StateProgress, from_json, to_json


def test_a_point_comes_back_as_it_was() -> None:
    cursors = (Cursor(2, 7, (Piece(0, 3, 0, 9), Piece(0, 5, 4, 8))), Cursor(0, 1, ()))
    position = Position((5, 6), cursors, ("a", "b"))
    point = Point(12, 34_000, position, ((1.5, 2.0), (0.25,)))
    told = StateProgress(optimizer_steps=11, budget=90_000, with_checkpoint=True)
    assert from_json(to_json(point, told)) == (point, told)


@pytest.mark.parametrize("data", [b"", b"{", json.dumps({"step": 1}).encode()])
def test_what_is_damaged_is_no_point(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_json(data)
