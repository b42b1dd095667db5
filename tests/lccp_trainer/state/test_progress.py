import json

import numpy as np
import pytest

from lccp_trainer.data.packing import Cursor
from lccp_trainer.data.stream import Position
from lccp_trainer.state.progress import Point, from_json, to_json


def test_a_point_comes_back_as_it_was() -> None:
    pieces = tuple(np.arange(n, dtype=np.int32) for n in (3, 0, 5))
    cursors = (Cursor(2, 7, pieces, ()), Cursor(0, 1, (), pieces[:1]))
    point = Point(12, 34_000, Position((5, 6), cursors))
    found, steps = from_json(to_json(point, 11))
    assert (found.step, found.tokens, steps) == (12, 34_000, 11)
    assert found.position.rows == (5, 6)
    for old, new in zip(cursors, found.position.cursors, strict=True):
        assert (new.epoch, new.document) == (old.epoch, old.document)
        for name in ("whole", "short"):
            pairs = zip(getattr(old, name), getattr(new, name), strict=True)
            assert all(np.array_equal(a, b) and b.dtype == np.int32 for a, b in pairs)


@pytest.mark.parametrize("data", [b"", b"{", json.dumps({"step": 1}).encode()])
def test_what_is_damaged_is_no_point(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_json(data)
