"""Back to the newest complete state; tests/lccp_trainer/stories has whole runs that rewind."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_trainer.parallel.process_group import Shared
from lccp_trainer.state.rewind import Rewind


@dataclass
class Facts:
    """Torchrun's store, of one process."""

    values: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        assert name not in self.values
        self.values[name] = value

    def get(self, name: str) -> str:
        return self.values[name]


@dataclass
class Resuming:
    """Takes whatever state is the newest."""

    store: FileStore
    keys: RunKeys
    asked: list[list[int]] = field(default_factory=list)

    def newest(self, candidates: Iterable[int]) -> tuple[Any, set[int]]:
        self.asked.append(sorted(candidates))
        return (SimpleNamespace(point=max(candidates)) if candidates else None), set()


def test_every_rewind_asks_anew_which_states_are_complete(tmp_path: Path) -> None:
    resume = Resuming(FileStore(tmp_path), RunKeys("default", "tiny"))
    waited: list[bool] = []
    uploader = SimpleNamespace(wait=lambda: waited.append(True))
    rewind = Rewind(resume, uploader, Shared(0, Facts()))  # type: ignore[arg-type]

    assert rewind() is None
    resume.store.put(f"{resume.keys.states}{4096:015d}/manifest.json", b"{}")
    assert rewind() == 4096
    assert (resume.asked, waited) == ([[], [4096]], [True, True])
