"""Checkpoints and states of a running training: written here, published beside the training."""

import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lccp_trainer.data.stream import DataStream
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.model.directory import save_directory
from lccp_trainer.parallel.weights import whole_weights
from lccp_trainer.state.engine_state import Point, save_state
from lccp_trainer.state.publish import Publisher, TrainedCounts, complete_tokens
from lccp_trainer.state.uploads import Uploader


@dataclass
class Saver:
    """Saves on this rank. Called on every rank at the same point."""

    engine: Any
    stream: DataStream
    publisher: Publisher
    uploader: Uploader
    reporter: Reporter | None
    source: Path
    scratch: Path
    checkpoints: set[int]
    """Complete checkpoints, by tokens; those of earlier attempts stay as they are."""
    states: set[int]
    damaged: set[int] = field(default_factory=set)
    """States, by tokens, that were found damaged: they are replaced."""

    def checkpoint(self, point: Point) -> None:
        """Save the model, unless a complete checkpoint of these tokens exists."""
        if point.tokens in self.checkpoints:
            return
        self.checkpoints.add(point.tokens)
        gathered = whole_weights(self.engine)
        if gathered is None:
            return
        directory = self.scratch / f"checkpoint-{point.tokens}"
        save_directory(self.engine.module.model, gathered, self.source, directory)
        self.uploader.submit(partial(self._publish_checkpoint, directory, self._counts(point)))

    def state(self, point: Point) -> None:
        """Save what training resumes from, unless a complete state of these tokens exists."""
        if point.tokens in self.states:
            return
        self.states.add(point.tokens)
        directory = self.scratch / f"state-{point.tokens}"
        save_state(self.engine, self.publisher.rank, point, directory)
        self.uploader.submit(partial(self._publish_state, directory, self._counts(point)))

    def _publish_checkpoint(self, directory: Path, counts: TrainedCounts) -> None:
        self.publisher.checkpoint(directory, counts)
        shutil.rmtree(directory)
        if self.reporter:
            self.reporter.update(checkpoints=self._complete(self.publisher.keys.checkpoints))

    def _publish_state(self, directory: Path, counts: TrainedCounts) -> None:
        self.publisher.state(directory, counts, replace=counts.tokens in self.damaged)
        shutil.rmtree(directory)
        if self.reporter:
            self.reporter.update(states=self._complete(self.publisher.keys.states))

    def _complete(self, below: str) -> tuple[int, ...]:
        return tuple(complete_tokens(self.publisher.store, below))

    def _counts(self, point: Point) -> TrainedCounts:
        per_source = self.stream.tokens_per_source(point.position)
        return TrainedCounts(point.step, point.tokens, per_source)
