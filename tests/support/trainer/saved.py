"""States and checkpoints that a gang of one saves."""

from pathlib import Path
from typing import Any

from lccp.store.keys import RunKeys, writer_name
from lccp.store.port import Store
from lccp_trainer.data.packing import Position
from lccp_trainer.goodput import WallClock
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import Publisher
from lccp_trainer.state.saving import Saver
from lccp_trainer.state.uploads import Uploader

KEYS = RunKeys("default", "run")
BUDGET = 1_000


class Data:
    """A stream of one source."""

    def tokens_per_source(self, position: Position) -> dict[str, int]:
        return {"long": position.tokens[0]}


def a_point(tokens: int) -> Point:
    return Point(tokens // 100, tokens, Position((tokens,), ()), ((2.0,), (1.0,)))


def a_saver(engine: Any, store: Store, folder: Path, **more: Any) -> Saver:
    """The saver of rank 0, whose source model and scratch lie in `folder`."""
    (folder / "source").mkdir(exist_ok=True)
    publisher = Publisher(
        store=store,
        keys=KEYS,
        writer=writer_name(1, "0" * 8),
        rank=0,
        world=1,
        rendezvous=None,  # type: ignore[arg-type]
        lengths=(64, 128),
        keep_states=2,
        keep_state_every=None,
    )
    parts: dict[str, Any] = {
        "engine": engine,
        "stream": Data(),
        "publisher": publisher,
        "uploader": Uploader(),
        "reporter": None,
        "source": folder / "source",
        "scratch": folder / "scratch",
        "budget": BUDGET,
        "clock": WallClock(0.0),
        "checkpoints": set(),
        "states": set(),
    }
    return Saver(**(parts | more))
