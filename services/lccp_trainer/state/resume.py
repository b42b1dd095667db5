"""Where a run resumes: from the newest complete state that verifies, whatever layout wrote it."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from lccp.api.objects.manifest import Manifest
from lccp.contract.errors import Incompatible, InvalidInput, NotFound, StoreRefused
from lccp.store.keys import TrainingKeys
from lccp.store.objects import read
from lccp.store.patience import patiently
from lccp.store.port import Store
from lccp_trainer.parallel import fragments
from lccp_trainer.parallel.pieces import ParameterPiece, pieces
from lccp_trainer.parallel.process_group import Shared
from lccp_trainer.state import progress
from lccp_trainer.state.files import Damaged, Part, StateFiles, file_name
from lccp_trainer.state.progress import Point, StateProgress
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.saving import Saver

logger = logging.getLogger(__name__)

READS = 2
"""Of a state, before it is declared damaged."""
GONE = (
    "{}: the newest state of this run is of {:,} tokens, where it had one of {:,}: nothing is "
    "trained again unasked"
)


@dataclass(frozen=True)
class Resumed:
    """The point of a run in a state."""

    point: Point
    told: StateProgress


@dataclass(frozen=True)
class Resume:
    """Restores the engine from a state. Called on every rank alike."""

    store: Store
    keys: TrainingKeys
    engine: Any
    rank: int
    device: torch.device

    def newest(self, candidates: Iterable[int]) -> tuple[Resumed | None, set[int]]:
        """Restore from the newest of `candidates` (by tokens) that verifies on all ranks.

        Returns it and the newer ones, which are damaged. None, and nothing changed, if none
        verifies.
        """
        damaged: set[int] = set()
        for tokens in sorted(candidates, reverse=True):
            resumed = self._resumed(tokens)
            if resumed is not None:
                return resumed, damaged
            logger.warning("state of %d tokens: skipped in favour of the previous one", tokens)
            damaged.add(tokens)
        return None, damaged

    def _resumed(self, tokens: int) -> Resumed | None:
        own = list(pieces(self.engine, fragments.held(self.engine)))
        copies = [(piece, _buffers(piece)) for piece in own]
        found = self._read(tokens, [part for _, parts in copies for part in parts])
        if not self._all_have(found is not None):
            return None
        assert found is not None
        for piece, parts in copies:
            for part in parts:
                piece.values[part.kind].copy_(part.values)
        fragments.restored(self.engine, found.told.optimizer_steps)
        return found

    def _read(self, tokens: int, wanted: list[Part]) -> Resumed | None:
        """Fill `wanted`; returns the state's record, or None if it is found damaged twice.

        A damaged state is withdrawn, so one bad answer of the store must not pass for damage.
        """
        for _ in range(READS):
            try:
                return self._read_once(tokens, wanted)
            except Damaged as error:
                logger.warning("%s", error)
        return None

    def _read_once(self, tokens: int, wanted: list[Part]) -> Resumed:
        manifest = self._manifest(tokens)
        prefix = self.keys.state(manifest.tokens, manifest.writer)
        sizes = {name: record.size for name, record in manifest.files.items()}
        StateFiles(self.store, prefix, sizes).fill(wanted, file_name(self.rank))
        return self._progress(manifest, f"{prefix}{progress.FILE}")

    def _manifest(self, tokens: int) -> Manifest:
        key = self.keys.state_manifest(tokens)
        try:
            return read(self.store, key, Manifest)
        except (Incompatible, StoreRefused):
            raise
        except (InvalidInput, NotFound) as error:
            raise Damaged(str(error)) from None

    def _progress(self, manifest: Manifest, key: str) -> Resumed:
        try:
            data = self.store.get(key)
        except NotFound:
            raise Damaged(f"{key} is missing") from None
        if hashlib.sha256(data).hexdigest() != manifest.files[progress.FILE].sha256:
            raise Damaged(f"{key} does not match its manifest")
        return Resumed(*progress.from_json(data))

    def _all_have(self, it: bool) -> bool:
        votes = torch.tensor(float(it), device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MIN)
        return bool(votes.item())


@dataclass
class Rewind:
    """Rewinds to the newest complete state in mid-attempt. Called on every rank alike."""

    resume: Resume
    saver: Saver
    shared: Shared
    _count: int = 0

    def __call__(self) -> Point | None:
        """The engine's new point; None, and nothing changed, if no state verifies.

        Raises StoreRefused if the newest one that was saved is gone.
        """
        self._count += 1
        self.saver.uploader.wait()
        complete = self.shared(f"rewind/{self._count}", self._states)
        newest, saved = max(complete, default=0), max(self.saver.states, default=0)
        if newest < saved:
            raise StoreRefused(GONE.format(self.resume.store.url, newest, saved))
        found, damaged = self.resume.newest(complete)
        if found is None:
            return None
        self.saver.withdraw(damaged)
        return found.point

    def _states(self) -> list[int]:
        store, below = self.resume.store, self.resume.keys.states
        return patiently(lambda: complete_tokens(store, below))


def _buffers(piece: ParameterPiece) -> list[Part]:
    """Host memory for the values of `piece`."""
    return [
        Part(kind, piece.name, piece.start, torch.empty(len(value)))
        for kind, value in piece.values.items()
    ]
