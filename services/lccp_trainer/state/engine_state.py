"""The state that training resumes from: the engine's, the data's position, the random numbers'.

Every rank saves one file of its own; weights that all ranks share are in rank 0's alone.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lccp.api.objects.manifest import Manifest
from lccp.contract.errors import NotFound
from lccp.store.directory import file_record
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_trainer.data.packing import Cursor
from lccp_trainer.data.stream import Position
from lccp_trainer.state import codec

LIVE_KEYS = ("loss_scaler", "param_slice_mappings")
"""Parts of an optimizer's state dict that are objects of the engine, equal in every process."""


@dataclass(frozen=True, eq=False)
class Point:
    """A point between two steps of a run."""

    step: int
    tokens: int
    position: Position


def file_name(rank: int) -> str:
    return f"rank-{rank:05d}.safetensors"


def save_state(engine: Any, rank: int, point: Point, directory: Path) -> None:
    """Write this rank's part of the state at `point`. Called on every rank."""
    directory.mkdir(parents=True)
    parts = {
        "point": {"step": point.step, "tokens": point.tokens},
        "data": _plain_position(point.position),
        "random": _random_state(),
        **_engine_state(engine, rank),
    }
    codec.save(parts, directory / file_name(rank))


def load_state(engine: Any, rank: int, directory: Path) -> Point:
    """Put the engine and the random numbers where `save_state` found them. On every rank."""
    own = codec.load(directory / file_name(rank))
    module = own["module"]
    if module is None:
        module = codec.load(directory / file_name(0))["module"]
    _restore_engine(engine, rank, module, own["optimizer"])
    _restore_random(own["random"])
    return Point(**own["point"], position=_position(own["data"]))


def fetch_state(store: Store, keys: RunKeys, manifest: Manifest, rank: int, to: Path) -> None:
    """Download what `rank` needs of a state. Raises Damaged if it is not what was recorded."""
    for name in {file_name(rank), file_name(0)}:
        key = f"{keys.state(manifest.tokens, manifest.writer)}{name}"
        try:
            store.get_file(key, to / name)
        except NotFound:
            raise Damaged(f"{key} is missing") from None
        if file_record(to / name) != manifest.files.get(name):
            raise Damaged(f"{key} is not what its manifest says")


class Damaged(Exception):
    """A state that can't be resumed from."""


def _engine_state(engine: Any, rank: int) -> dict[str, Any]:
    if engine.zero_optimization_stage() == 3:
        engine.optimizer.checkpoint_event_prologue()
    optimizer = engine.optimizer.state_dict()
    shares_weights = engine.zero_optimization_stage() < 3
    state = {
        "module": dict(engine.module.state_dict()) if rank == 0 or not shares_weights else None,
        "optimizer": {k: v for k, v in optimizer.items() if k not in LIVE_KEYS},
    }
    if engine.zero_optimization_stage() == 3:
        engine.optimizer.checkpoint_event_epilogue()
    return state


def _restore_engine(engine: Any, rank: int, module: Any, optimizer: Any) -> None:
    if engine.zero_optimization_stage() == 3:
        engine.optimizer.checkpoint_event_prologue()
    engine.module.load_state_dict(module)
    if not engine.zero_optimization():
        engine.optimizer.load_state_dict(optimizer)
        return
    live = getattr(engine.optimizer, "loss_scaler", None)
    by_rank: list[Any] = [None] * engine.dp_world_size
    by_rank[rank] = optimizer | {"loss_scaler": live}
    engine.optimizer.load_state_dict(by_rank, load_from_fp32_weights=True)
    if engine.zero_optimization_stage() == 3:
        engine.optimizer.checkpoint_event_epilogue()


def _random_state() -> dict[str, torch.Tensor | None]:
    device = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"cpu": torch.get_rng_state(), "device": device}


def _restore_random(state: dict[str, torch.Tensor | None]) -> None:
    assert state["cpu"] is not None
    torch.set_rng_state(state["cpu"])
    if state["device"] is not None:
        torch.cuda.set_rng_state(state["device"])


def _plain_position(position: Position) -> dict[str, Any]:
    cursors = [asdict(cursor) for cursor in position.cursors]
    for cursor in cursors:
        for part in ("whole", "short"):
            cursor[part] = [torch.from_numpy(np.ascontiguousarray(t)) for t in cursor[part]]
    return {"rows": position.rows, "cursors": cursors}


def _position(plain: dict[str, Any]) -> Position:
    cursors = (
        Cursor(c["epoch"], c["document"], _arrays(c["whole"]), _arrays(c["short"]))
        for c in plain["cursors"]
    )
    return Position(rows=plain["rows"], cursors=tuple(cursors))


def _arrays(tensors: list[torch.Tensor]) -> tuple[NDArray[np.int32], ...]:
    return tuple(tensor.numpy() for tensor in tensors)
