from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import a_run
import pytest
from saved import a_saver

from lccp.api.causes import Cause
from lccp.contract.errors import InvalidInput
from lccp.store.file import FileStore
from lccp_trainer import ends
from lccp_trainer.assembly import Connections, Parts, resumed
from lccp_trainer.control import Requests, Stop


class Watched:
    """A watchdog that counts."""

    touched = 0

    def touch(self) -> None:
        self.touched += 1


def test_work_before_the_first_step_is_no_hang_and_ends_at_a_sigterm() -> None:
    watchdog, requests = Watched(), Requests()
    connections = Connections(None, requests, watchdog, None, None)  # type: ignore[arg-type]
    connections.alive()
    requests.ask(Stop.DRAIN)
    connections.alive()
    assert watchdog.touched == 2
    requests.ask(Stop.TERMINATE)
    with pytest.raises(ends.Stopped) as stopped:
        connections.alive()
    assert ends.end_of(stopped.value, 0).result is Cause.TERMINATED


def parts(folder: Path, checkpoints: set[int], lost_state: str, extendable: bool = True) -> Parts:
    """Those of an attempt that finds no state."""
    spec = a_run.run(checkpoints={"everyTokens": 100, "lostState": lost_state}).spec
    saver = a_saver(None, FileStore(folder / "store"), folder, checkpoints=checkpoints)
    found: Any = {
        "task": SimpleNamespace(spec=spec, extendable=extendable),
        "saver": saver,
        "resume": SimpleNamespace(newest=lambda candidates: (None, set())),
    }
    return Parts(**dict.fromkeys(("shape", "device", "groups", "engine", "shared")), **found)


def test_checkpoints_without_any_state_are_no_reason_to_begin_anew_unasked(tmp_path: Path) -> None:
    alone = cast(Any, SimpleNamespace(reporter=None))
    with pytest.raises(
        InvalidInput, match=r"^checkpoints\.lostState: .* of 200 tokens, .* Restart"
    ):
        resumed(alone, parts(tmp_path, {0, 200}, "Fail"))
    assert resumed(alone, parts(tmp_path, {0, 200}, "Restart")) is None
    assert resumed(alone, parts(tmp_path, {0}, "Fail")) is None
    assert resumed(alone, parts(tmp_path, {0, 200}, "Fail", extendable=False)) is None
