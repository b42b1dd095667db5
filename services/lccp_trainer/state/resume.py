"""Where a run goes on: the newest complete state that verifies."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from lccp.api.objects.manifest import Manifest
from lccp.contract.errors import Incompatible, InvalidInput, NotFound
from lccp.store.keys import RunKeys
from lccp.store.objects import read
from lccp.store.port import Store
from lccp_trainer.state.engine_state import Damaged, fetch_state
from lccp_trainer.state.publish import check_processes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A state's files on this machine (None: there is no state), and the newer ones damaged."""

    directory: Path | None
    damaged: set[int]


@dataclass(frozen=True)
class Resume:
    """Looks for a state on every rank alike."""

    store: Store
    keys: RunKeys
    rank: int
    world: int
    device: torch.device
    scratch: Path

    def find(self, candidates: Iterable[int]) -> Found:
        """The newest of `candidates` (by tokens) that verifies on all ranks."""
        damaged: set[int] = set()
        for tokens in sorted(candidates, reverse=True):
            directory = self.scratch / f"resume-{tokens}"
            if self._all_have(self._fetch(tokens, directory)):
                return Found(directory, damaged)
            logger.warning("state of %d tokens: passed over for the one before it", tokens)
            damaged.add(tokens)
        return Found(None, damaged)

    def _fetch(self, tokens: int, directory: Path) -> bool:
        try:
            manifest = self._read(tokens)
            check_processes(manifest, self.world)
            fetch_state(self.store, self.keys, manifest, self.rank, directory)
        except Damaged as error:
            logger.warning("%s", error)
            return False
        return True

    def _read(self, tokens: int) -> Manifest:
        key = self.keys.state_manifest(tokens)
        try:
            return read(self.store, key, Manifest)
        except Incompatible:
            raise
        except (InvalidInput, NotFound) as error:
            raise Damaged(str(error)) from None

    def _all_have(self, it: bool) -> bool:
        votes = torch.tensor(float(it), device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MIN)
        return bool(votes.item())
