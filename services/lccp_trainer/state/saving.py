"""Checkpoints and states of a running training: copied here, written and published beside it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lccp_trainer.data.stream import Stream
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.model.directory import save_directory
from lccp_trainer.parallel import fragments
from lccp_trainer.parallel.pieces import pieces
from lccp_trainer.parallel.weights import whole_weights
from lccp_trainer.state import progress
from lccp_trainer.state.files import Part, file_name
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import Publisher, TrainedCounts, complete_tokens
from lccp_trainer.state.snapshot import Snapshot
from lccp_trainer.state.uploads import Uploader


@dataclass
class Saver:
    """Saves on this rank. Called on every rank at the same point."""

    engine: Any
    stream: Stream
    publisher: Publisher
    uploader: Uploader
    reporter: Reporter | None
    source: Path
    scratch: Path
    checkpoints: set[int]
    """Complete checkpoints, by tokens; those of earlier attempts stay as they are."""
    states: set[int]
    last_state: int | None = None
    """From these tokens on no state is saved: nothing goes on from there."""
    damaged: set[int] = field(default_factory=set)
    """States, by tokens, that were found damaged: they are replaced."""
    stalled_seconds: float = 0.0
    """Time that saving held the training up, so far."""
    _snapshot: Snapshot = field(default_factory=Snapshot)

    def checkpoint(self, point: Point) -> None:
        """Save the model, unless a complete checkpoint of these tokens exists."""
        if point.tokens not in self.checkpoints:
            self.checkpoints.add(point.tokens)
            self._stall(lambda: self._checkpoint(point))

    def state(self, point: Point) -> None:
        """Save what training resumes from, unless a complete state of these tokens exists."""
        ended = self.last_state is not None and point.tokens >= self.last_state
        if not ended and point.tokens not in self.states:
            self.states.add(point.tokens)
            self._stall(lambda: self._state(point))

    def _stall(self, save: Callable[[], None]) -> None:
        begun = time.monotonic()
        save()
        self.stalled_seconds += time.monotonic() - begun

    def _checkpoint(self, point: Point) -> None:
        weights = whole_weights(self.engine)
        if weights is not None:
            self.uploader.submit(partial(self._publish_checkpoint, weights, self._counts(point)))

    def _state(self, point: Point) -> None:
        rank, processes = self.publisher.rank, self.publisher.world
        owned = fragments.owned(self.engine, rank, processes)
        parts = self._snapshot.take(list(pieces(self.engine, owned)))
        told = progress.to_json(point, fragments.optimizer_steps(self.engine))
        self.uploader.submit(partial(self._publish_state, parts, told, self._counts(point)))

    def _publish_checkpoint(self, weights: dict[str, torch.Tensor], counts: TrainedCounts) -> None:
        directory = self.scratch / f"checkpoint-{counts.tokens}"
        save_directory(self.engine.module.model, weights, self.source, directory)
        weights.clear()
        self.publisher.checkpoint(directory, counts)
        shutil.rmtree(directory)
        if self.reporter:
            self.reporter.update(checkpoints=self._complete(self.publisher.keys.checkpoints))

    def _publish_state(self, parts: list[Part], told: bytes, counts: TrainedCounts) -> None:
        directory = self.scratch / f"state-{counts.tokens}"
        directory.mkdir(parents=True)
        self._snapshot.write(parts, directory / file_name(self.publisher.rank))
        if self.publisher.rank == 0:
            (directory / progress.FILE).write_bytes(told)
        self.publisher.state(directory, counts, replace=counts.tokens in self.damaged)
        shutil.rmtree(directory)
        if self.reporter:
            self.reporter.update(states=self._complete(self.publisher.keys.states))

    def _complete(self, below: str) -> tuple[int, ...]:
        return tuple(complete_tokens(self.publisher.store, below))

    def _counts(self, point: Point) -> TrainedCounts:
        per_source = self.stream.tokens_per_source(point.position)
        return TrainedCounts(point.step, point.tokens, per_source)
