"""Saves checkpoints and states of a running training: copies them, publishes in the background."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lccp.api.objects.losses import HeldOutLoss
from lccp_trainer.data.stream import Stream
from lccp_trainer.goodput import WallClock
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.model.directory import save_directory
from lccp_trainer.parallel import fragments
from lccp_trainer.parallel.pieces import ParameterPiece, pieces
from lccp_trainer.parallel.weights import whole_weights
from lccp_trainer.state import progress
from lccp_trainer.state.files import Part, file_name, write_file
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import Publisher, TrainedCounts, complete_tokens
from lccp_trainer.state.uploads import Uploader, unsent

BLOCK_ELEMENTS = 2**28
"""Elements of a block of a copy, 1 GiB: PyTorch rounds page-locked memory to a power of two."""


class Snapshot:
    """A copy of a state's values, so that training continues while they are written.

    Its host memory, page-locked if there is a GPU, is reused for every state.
    """

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()
        self._blocks: list[torch.Tensor] = []

    def take(self, pieces: list[ParameterPiece]) -> list[Part]:
        """Copy the values of `pieces`; waits until the copy before has been written."""
        self._free.wait()
        self._free.clear()
        values = [(piece, *value) for piece in pieces for value in piece.values.items()]
        self._make_room(sum(value.numel() for *_, value in values))
        parts, at = [], 0
        for piece, kind, value in values:
            for start, copy in self._room(at, value.numel()):
                copy.copy_(value[start : start + len(copy)], non_blocking=True)
                parts.append(Part(kind, piece.name, piece.start + start, copy))
            at += value.numel()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return parts

    def write(self, parts: list[Part], path: Path) -> None:
        """Write the copy, and free the memory for the next."""
        try:
            write_file(parts, path)
        finally:
            self._free.set()

    def _make_room(self, elements: int) -> None:
        """Hold blocks of as many elements in total; all but the last are full."""
        if sum(map(len, self._blocks)) < elements:
            pinned = torch.cuda.is_available()
            self._blocks = [
                torch.empty(min(BLOCK_ELEMENTS, elements - start), pin_memory=pinned)
                for start in range(0, elements, BLOCK_ELEMENTS)
            ]

    def _room(self, at: int, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """Views of `size` elements from element `at` on, each with how many come before it."""
        done = 0
        while done < size:
            block, start = divmod(at + done, BLOCK_ELEMENTS)
            view = self._blocks[block][start : start + size - done]
            yield done, view
            done += len(view)


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
    budget: int
    """Tokens of the run."""
    clock: WallClock
    checkpoints: set[int]
    """Complete checkpoints, by tokens; those of earlier attempts stay unchanged."""
    states: set[int]
    last_state: int | None = None
    """From these tokens on no state is saved: nothing resumes from there."""
    measure: Callable[[int], HeldOutLoss] | None = None
    """Measures the loss on held-out documents at these trained tokens; None: there are none."""
    _snapshot: Snapshot = field(default_factory=Snapshot)

    def measured(self, point: Point) -> HeldOutLoss | None:
        """The loss on held-out documents, for a checkpoint that is still to be saved."""
        if self.measure is None or point.tokens in self.checkpoints:
            return None
        with self.clock.during("measuring"):
            held_out = self.measure(point.tokens)
        if self.reporter:
            self.reporter.update(held_out=held_out)
        return held_out

    def checkpoint(self, point: Point, held_out: HeldOutLoss | None) -> None:
        """Save the model, unless a complete checkpoint of these tokens exists."""
        if point.tokens not in self.checkpoints:
            self.checkpoints.add(point.tokens)
            self._stall(lambda: self._checkpoint(point, held_out))

    def state(self, point: Point, with_checkpoint: bool) -> None:
        """Save a state, unless a complete one of these tokens exists.

        It is saved before a checkpoint of the same tokens, so that every complete checkpoint has a
        state to resume from. An attempt that resumes makes the checkpoint if it is missing.
        """
        ended = self.last_state is not None and point.tokens >= self.last_state
        if not ended and point.tokens not in self.states:
            self.states.add(point.tokens)
            self._stall(lambda: self._state(point, with_checkpoint))

    def withdraw(self, damaged: set[int]) -> None:
        """Let states that were found damaged, by tokens, not count any more: they are made anew.

        The heartbeat says so first: one that it counts, and that is gone, counts as lost.
        """
        self.states -= damaged
        if self.reporter:
            self.publisher.withdraw(damaged, self.reporter.tell_states)
        else:
            self.publisher.withdraw(damaged)

    def _stall(self, save: Callable[[], None]) -> None:
        begun = time.monotonic()
        save()
        if self.reporter:
            self.reporter.update(last_save_seconds=round(time.monotonic() - begun, 4))

    def _checkpoint(self, point: Point, held_out: HeldOutLoss | None) -> None:
        weights = whole_weights(self.engine)
        if weights is not None:
            counts = replace(self._counts(point), held_out=held_out)
            self.uploader.submit(partial(self._publish_checkpoint, weights, counts))

    def _state(self, point: Point, with_checkpoint: bool) -> None:
        rank, processes = self.publisher.rank, self.publisher.world
        owned = fragments.owned(self.engine, rank, processes)
        parts = self._snapshot.take(list(pieces(self.engine, owned)))
        self.clock.state_taken(point.tokens)
        steps = fragments.optimizer_steps(self.engine)
        told = progress.StateProgress(steps, self.budget, with_checkpoint)
        data = progress.to_json(point, told)
        self.uploader.submit(partial(self._publish_state, parts, data, self._counts(point)))

    def _publish_checkpoint(self, weights: dict[str, torch.Tensor], counts: TrainedCounts) -> None:
        with unsent(self.scratch / f"checkpoint-{counts.tokens}") as directory:
            save_directory(self.engine.module.model, weights, self.source, directory)
            weights.clear()
            self.publisher.checkpoint(directory, counts)
        if self.reporter:
            below = self.publisher.keys.checkpoints
            complete = complete_tokens(self.publisher.store, below)
            self.reporter.update(checkpoints=tuple(complete))

    def _publish_state(
        self, parts: list[Part], progress_file: bytes, counts: TrainedCounts
    ) -> None:
        with unsent(self.scratch / f"state-{counts.tokens}") as directory:
            directory.mkdir(parents=True)
            self._snapshot.write(parts, directory / file_name(self.publisher.rank))
            if self.publisher.rank == 0:
                (directory / progress.FILE).write_bytes(progress_file)
            # The history must reach this state: an attempt that resumes cuts the history there.
            flush = self.reporter.flush if self.reporter else None
            states = self.publisher.state(directory, counts, flush)
        self.clock.state_complete(counts.tokens)
        if self.reporter:
            self.reporter.update(states=states)

    def _counts(self, point: Point) -> TrainedCounts:
        per_source = self.stream.tokens_per_source(point.position)
        return TrainedCounts(point.step, point.tokens, per_source)
