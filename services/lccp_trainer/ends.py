"""How ranks report why they ended, and what the launcher concludes."""

import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lccp.api.causes import Cause, cause_of
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import End
from lccp.contract.errors import LccpError, sentence_of
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys
from lccp.store.objects import branch_end, read_or_none
from lccp.store.port import Store

ROOT_CAUSES = (
    Cause.CONFIGURATION,
    Cause.NOT_FINITE,
    Cause.HANG,
    Cause.STORE_REFUSED,
    Cause.STORE_UNREACHABLE,
    Cause.OUT_OF_MEMORY,
)
"""Causes that can't have spread from a peer; the first one found explains the others."""
END_BYTES = 2**14
"""Most bytes of a rank's end, whose message may name several files."""


class NotFinite(LccpError):
    """Loss or gradient was not finite in more steps in a row than the limit allows."""


class Stopped(LccpError):
    """SIGTERM came before the first step."""


@dataclass(frozen=True)
class Death:
    """A rank that torchrun saw fail, and its exit code (negative: the signal)."""

    rank: int
    exit_code: int

    @property
    def sentence(self) -> str:
        if self.exit_code < 0:
            return f"rank {self.rank} was killed by {signal.Signals(-self.exit_code).name}"
        return f"rank {self.rank} exited with code {self.exit_code} without reporting a cause"


def end_of(error: BaseException, rank: int | None = None) -> End:
    """The end of a rank that `error` stopped."""
    return End(
        result=_cause(error),
        rank=rank,
        message=sentence_of(error),
        at=datetime.now(UTC),
    )


def _cause(error: BaseException) -> Cause:
    match error:
        case NotFinite():
            return Cause.NOT_FINITE
        case Stopped():
            return Cause.TERMINATED
        case _:
            return cause_of(error)


def mark_started(scratch: Path, rank: int) -> None:
    """Record that this rank handles SIGTERM from now on; the file keeps room for its end."""
    _started(scratch, rank).write_bytes(bytes(END_BYTES))


def _started(scratch: Path, rank: int) -> Path:
    return scratch / f"started-{rank}"


def count_started(scratch: Path) -> int:
    return len(list(scratch.glob("started-*")))


def write_end(scratch: Path, rank: int, end: End) -> None:
    """Leave `end` for the launcher, also on a full disk; the first one of a rank is kept."""
    with suppress(FileNotFoundError):
        os.truncate(_started(scratch, rank), 0)
    path = scratch / f"end-{rank}.json"
    if not path.exists():
        leave(path, end.to_json())


def leave(path: Path, data: bytes) -> None:
    """Write a file that the launcher reads: whole, or, on a full disk, not at all."""
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(data)
    part.rename(path)


def read_ends(scratch: Path) -> dict[int, End]:
    """The ends that the ranks of this node left, by rank."""
    found = {}
    for path in scratch.glob("end-*.json"):
        rank = int(path.stem.removeprefix("end-"))
        found[rank] = End.from_json(path.read_bytes(), path.name)
    return found


def read_deaths(path: Path) -> list[Death]:
    """The ranks that had failed when torchrun first looked; more than one if they were quick."""
    return [Death(**death) for death in json.loads(path.read_text())] if path.exists() else []


def decide(ends: Mapping[int, End], deaths: Sequence[Death], started: int, terminated: bool) -> End:
    """How the attempt ended, as seen on this node, where `started` ranks handled signals.

    A typed cause explains everything else; a rank that died without a cause explains the failures
    of its peers. A SIGTERM that came before any rank could handle it left nothing to save.
    """
    by_cause = {end.result: end for _, end in sorted(ends.items(), reverse=True)}
    for cause in ROOT_CAUSES:
        if cause in by_cause:
            return by_cause[cause]
    if terminated and not started:
        return _end(
            Cause.TERMINATED, "received SIGTERM before the start: there was nothing to save"
        )
    for death in deaths:
        if death.rank not in ends:
            return _end(Cause.INTERNAL, death.sentence, death.rank)
    for cause in (Cause.INTERNAL, Cause.TERMINATED, Cause.DRAINED, Cause.COMPLETED):
        if cause in by_cause and (cause is Cause.INTERNAL or len(ends) == started):
            return by_cause[cause]
    return _end(Cause.INTERNAL, "the gang ended, but not every rank reported why")


def made_before(store: Store, keys: RunKeys | BranchKeys | FineTuningKeys) -> End | None:
    """The end of an attempt whose only checkpoint exists; None while there is work left.

    A run has several checkpoints, and learns from its states whether work is left.
    """
    made = None
    if isinstance(keys, FineTuningKeys):
        made = read_or_none(store, keys.manifest, Manifest)
    elif isinstance(keys, BranchKeys):
        made = branch_end(store, keys)
    if made is None:
        return None
    return End(
        result=Cause.COMPLETED,
        tokens=made.tokens,
        step=made.step,
        message=f"{keys.checkpoint_manifest(made.tokens)} already exists",
        at=datetime.now(UTC),
    )


def _end(result: Cause, message: str, rank: int | None = None) -> End:
    return End(result=result, message=message, rank=rank, at=datetime.now(UTC))
