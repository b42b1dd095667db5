"""How checkpoints and states are published: files first, checked; the manifest last."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from lccp.api.objects.losses import HeldOutLoss
from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.contract.errors import Conflict
from lccp.store.directory import delete_prefix, upload_directory
from lccp.store.keys import TrainingKeys, tokens_of
from lccp.store.objects import write_if_absent
from lccp.store.patience import PATIENCE_SECONDS, patiently
from lccp.store.port import Store
from lccp_trainer.schedule import kept

logger = logging.getLogger(__name__)

LIBRARIES = ("lccp", "torch", "transformers", "deepspeed")
Kind = Literal["Checkpoint", "State"]
Result = TypeVar("Result")


class RendezvousStore(Protocol):
    """The operations used of torchrun's key-value store."""

    def set(self, key: str, value: str) -> None: ...

    def get(self, key: str) -> bytes: ...

    def wait(self, keys: list[str], timeout: timedelta) -> None: ...


@dataclass(frozen=True)
class TrainedCounts:
    """The progress of a run, as the manifest of a checkpoint or state records it."""

    step: int
    tokens: int
    tokens_per_source: dict[str, int]
    held_out: HeldOutLoss | None = None
    """Of a checkpoint, if it is measured."""


@dataclass(frozen=True)
class Publisher:
    """Publishes the checkpoints and states of this rank's attempt."""

    store: Store
    keys: TrainingKeys
    writer: str
    rank: int
    world: int
    rendezvous: RendezvousStore
    lengths: tuple[int, int]
    """Context length of the source model and of the target, tokens."""
    keep_states: int
    keep_state_every: int | None
    """Tokens; one state in each interval of this length is kept for ever."""
    keep_states_at: frozenset[int] = frozenset()
    """Tokens of states that are kept for ever: branches begin with them."""
    tell: Callable[[str | None], None] = lambda problem: None
    """Called with what the store can't do now, and with None once it can."""
    _numbers: Iterator[int] = field(default_factory=count)
    """Of the states that this attempt publishes: after a rewind, two can be of the same tokens."""

    def checkpoint(self, directory: Path, counts: TrainedCounts) -> None:
        """Publish the Hugging Face directory that rank 0 wrote."""
        prefix = self.keys.checkpoint(counts.tokens, self.writer)
        files = self._upload(directory, prefix)
        manifest = self._manifest("Checkpoint", counts, files)
        self._complete(self.keys.checkpoint_manifest(counts.tokens), manifest)

    def state(
        self,
        directory: Path,
        counts: TrainedCounts,
        before_completion: Callable[[], None] | None = None,
    ) -> tuple[int, ...]:
        """Publish this rank's part of a state; rank 0 completes it when all parts have arrived.

        Returns the complete states by tokens, ascending; on other ranks none.

        Args:
            before_completion: called on rank 0 before the state exists.
        """
        prefix = self.keys.state(counts.tokens, self.writer)
        files = self._gather(next(self._numbers), self._upload(directory, prefix))
        if self.rank != 0:
            return ()
        key = self.keys.state_manifest(counts.tokens)
        if before_completion:
            self._patiently(before_completion)
        self._complete(key, self._manifest("State", counts, files))
        return self._patiently(self._prune)

    def withdraw(
        self,
        states: Set[int],
        before_deletion: Callable[[tuple[int, ...]], None] = lambda left: None,
    ) -> None:
        """Delete the manifests of damaged states, by tokens; does nothing on other ranks than 0.

        As complete ones they would count among the newest, for which intact ones are deleted.

        Args:
            before_deletion: called with the complete states that are left, by tokens, ascending.
        """
        if self.rank != 0 or not states:
            return
        complete = self._patiently(partial(complete_tokens, self.store, self.keys.states))
        left = tuple(tokens for tokens in complete if tokens not in states)
        self._patiently(partial(before_deletion, left))
        for tokens in sorted(states):
            self._patiently(partial(self.store.delete, self.keys.state_manifest(tokens)))

    def _patiently(self, call: Callable[[], Result]) -> Result:
        return patiently(call, tell=self.tell)

    def _upload(self, directory: Path, prefix: str) -> dict[str, FileRecord]:
        return self._patiently(lambda: upload_directory(self.store, directory, prefix))

    def _gather(self, number: int, own: dict[str, FileRecord]) -> dict[str, FileRecord]:
        """Rank 0: the files that all ranks uploaded for their state of this number."""
        if self.rank != 0:
            records = {name: record.document() for name, record in own.items()}
            self.rendezvous.set(f"state/{number}/{self.rank}", json.dumps(records))
            return own
        names = [f"state/{number}/{rank}" for rank in range(1, self.world)]
        if names:
            self.rendezvous.wait(names, timedelta(seconds=PATIENCE_SECONDS))
        for name in names:
            for path, record in json.loads(self.rendezvous.get(name)).items():
                own[path] = FileRecord.parse(record, name)
        return own

    def _manifest(
        self, kind: Kind, counts: TrainedCounts, files: dict[str, FileRecord]
    ) -> Manifest:
        return Manifest(
            kind=kind,
            tokens=counts.tokens,
            step=counts.step,
            writer=self.writer,
            files=files,
            tokens_per_source=counts.tokens_per_source,
            held_out=counts.held_out,
            source_context_length=self.lengths[0],
            target_context_length=self.lengths[1],
            world_size=self.world,
            versions=versions(),
        )

    def _complete(self, key: str, manifest: Manifest) -> None:
        def write() -> None:
            try:
                write_if_absent(self.store, key, manifest)
            except Conflict:
                logger.info("%s already exists and is kept", key)

        self._patiently(write)
        logger.info("%s of %d tokens is complete", manifest.kind.lower(), manifest.tokens)

    def _prune(self) -> tuple[int, ...]:
        """Delete states that need not be kept, and older ones that were never completed.

        Returns the complete ones that stay.
        """
        below = self.keys.states
        keys = [info.key for info in self.store.list(below)]
        complete = _complete_tokens(keys, below)
        stay = kept(complete, self.keep_states, self.keep_state_every, self.keep_states_at)
        found = {tokens_of(key, below) for key in keys}
        for tokens in sorted(t for t in found - stay if t < complete[-1]):
            delete_prefix(self.store, self.keys.state_manifest(tokens).rpartition("/")[0])
        return tuple(t for t in complete if t in stay)


@cache
def versions() -> dict[str, str]:
    """Versions of the libraries, which take longer to find out than a small state to write."""
    return {name: version(name) for name in LIBRARIES}


def complete_tokens(store: Store, below: str) -> list[int]:
    """Tokens of the checkpoints or states with a manifest below a prefix, ascending."""
    return _complete_tokens((info.key for info in store.list(below)), below)


def _complete_tokens(keys: Iterable[str], below: str) -> list[int]:
    depth = below.count("/") + 1
    return sorted(
        tokens_of(key, below)
        for key in keys
        if key.endswith("/manifest.json") and key.count("/") == depth
    )
