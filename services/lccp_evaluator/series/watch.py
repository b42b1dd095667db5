"""A folder into which somebody's trainer writes checkpoints: a series that grows."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from lccp.api.objects.report import EvaluationFailure
from lccp.contract.errors import (
    Conflict,
    Incompatible,
    InvalidInput,
    StoreRefused,
    StoreUnavailable,
)
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory, Completion
from lccp_evaluator.series.conversion import Stamps
from lccp_evaluator.series.formats import Format, HuggingFace
from lccp_evaluator.series.tokens import TRAINER_STATE, UNCOUNTED, TokenCounts, Trained
from lccp_evaluator.series.view import Destination, Show, Unmeasured, View

HUGGING_FACE = HuggingFace()
T = TypeVar("T")


class Watch:
    """Looks at `folder`, which need not exist yet; evaluates complete checkpoints into `series`.

    What it knows besides the reports is only in memory, so it may be ended at any time: an
    interrupted evaluation resumes after the last haystack or document that it finished.
    """

    def __init__(
        self,
        folder: Path,
        series: Destination,
        counts: Callable[[], TokenCounts],
        completion: Completion,
        clock: Callable[[], float] = time.monotonic,
        format: Format = HUGGING_FACE,
    ) -> None:
        self._folder, self._series, self._counts = folder, series, counts
        self._completion, self._clock, self._format = completion, clock, format
        self._since: dict[Path, tuple[Stamps, float]] = {}
        """Files of each checkpoint, and since when they are unchanged."""
        self._measured: dict[Path, tuple[Stamps, int]] = {}
        """Files of each checkpoint with a report, and its tokens."""
        self._failed: dict[Path, tuple[Stamps, str]] = {}
        self._rows: dict[Path, Unmeasured] = {}
        """As last seen."""
        self._counted: TokenCounts | None = None
        self._found: list[Path] | None = None
        """As last read."""

    def look(self) -> View:
        """The present contents. If the index or the folder can't be read, its last reading holds,
        and a row says so.

        Raises:
            Incompatible: reports have other settings.
            InvalidInput: the index or the folder has never been readable.
        """
        faults: list[str] = []
        self._found = found = _or_before(self._directories, self._found, faults)
        self._counted = counts = _or_before(self._counts, self._counted, faults)
        first = dict[int, Path]()
        rows = {path: row for path in found if (row := self._seen(path, counts, first))}
        for path, before in self._rows.items():
            if path not in found and before.state in ("Waiting", "Deleted"):
                note = "was deleted before it was evaluated"
                rows[path] = replace(before, state="Deleted", note=note, checkpoint=None)
        self._rows = rows
        unread = (Unmeasured(self._folder, None, "Unread", fault) for fault in faults)
        unmeasured = (*sorted(rows.values(), key=_order), *unread)
        return View(tuple(self._series.reports()), unmeasured)

    def _directories(self) -> list[Path]:
        try:
            self._folder.stat()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InvalidInput(f"{self._folder}: can't be read: {error.strerror}") from None
        return self._format.found(self._folder)

    def run(
        self,
        show: Show,
        until_tokens: int | None = None,
        poll_seconds: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Evaluate what is complete, and wait for more.

        It ends when a checkpoint at `until_tokens` or beyond is evaluated,
        or cannot be evaluated as it is.
        """
        while True:
            view = self.look()
            show(view)
            ready = view.next
            if ready is not None:
                self.advance(ready, view, show, poll_seconds)
            elif until_tokens is not None and view.reached(until_tokens):
                return
            else:
                sleep(poll_seconds)

    def advance(self, row: Unmeasured, view: View, show: Show, poll_seconds: float) -> None:
        """Convert the checkpoint, or evaluate it if it is converted."""
        assert row.checkpoint is not None
        model = row.checkpoint.path
        try:
            files = self._format.stamps(row.path)
            is_there = model.is_dir() and self._format.converted(row.path, files)
        except InvalidInput:
            return  # it is gone: look again
        if is_there:
            self._evaluate(row.path, row.checkpoint, view, show, poll_seconds)
            return
        show(view.with_state(row.path, "Converting", self._format.making))
        try:
            self._format.convert(row.path, files)
        except Conflict:
            return  # it changed: look again
        except InvalidInput as error:
            self._refused(row.path, files, error)

    def _evaluate(
        self,
        path: Path,
        checkpoint: CheckpointDirectory,
        view: View,
        show: Show,
        poll_seconds: float,
    ) -> None:
        shown = self._clock()

        def progress(done: Done) -> None:
            nonlocal shown
            if done.share in (0, 1) or self._clock() - shown >= poll_seconds:
                shown = self._clock()
                note = f"evaluating: {done.samples} of {done.total} samples"
                show(view.with_state(path, "Evaluating", note))

        try:
            before = self._format.stamps(path)
        except InvalidInput:
            return
        try:
            result = self._series.evaluate(checkpoint, progress)
        except Conflict:
            return  # it changed: look again
        except InvalidInput as error:
            self._refused(path, before, error)
            return
        if isinstance(result, EvaluationFailure):
            self._failed[path] = before, result.message

    def _refused(self, path: Path, before: Stamps, error: InvalidInput) -> None:
        """Note that it failed, unless it changed or is gone: then look again.

        Raises `error` if that is of the store: the checkpoint is not at fault.
        """
        if isinstance(error, StoreRefused):
            raise error
        with suppress(InvalidInput):
            if self._format.stamps(path) == before:
                self._failed[path] = before, str(error)

    def _seen(self, path: Path, counts: TokenCounts, first: dict[int, Path]) -> Unmeasured | None:
        """Why the checkpoint in `path` has no report; None if it has one."""
        try:
            files = self._format.stamps(path)
            known, tokens = self._measured.get(path, (None, 0))
            if known == files:
                first.setdefault(tokens, path)
                return None
            trained = counts.of(path)
            self._format.check_whole(path)
        except (InvalidInput, OSError) as error:
            self._since.pop(path, None)
            return Unmeasured(path, None, "Incomplete", f"incomplete: {error}")
        if trained is None:
            return Unmeasured(path, None, "LeftOut", f"left out: {UNCOUNTED}")
        if first.setdefault(trained.tokens, path) != path:
            note = f"left out: has as many tokens as {first[trained.tokens].name}"
            return Unmeasured(path, trained.tokens, "LeftOut", note)
        return self._whole(path, trained, files)

    def _whole(self, path: Path, trained: Trained, files: Stamps) -> Unmeasured | None:
        checkpoint = CheckpointDirectory(self._format.model(path), trained)
        tokens = trained.tokens
        left = self._missing(path, files)
        if left:
            return Unmeasured(path, tokens, "Incomplete", left)
        failed, why = self._failed.get(path, (None, ""))
        if failed == files:
            return Unmeasured(path, tokens, "Failed", f"failed: {why}")
        try:
            report: object | None = None
            if self._format.converted(path, files):
                report = self._series.report(checkpoint)
            elif path not in self._measured and self._series.settled(tokens):
                report = checkpoint
        except (Incompatible, StoreRefused):
            raise
        except InvalidInput as error:
            return Unmeasured(path, tokens, "LeftOut", f"left out: {error}")
        if report is None:
            return Unmeasured(path, tokens, "Waiting", "waiting for evaluation", checkpoint)
        self._measured[path] = files, tokens
        return None

    def _missing(self, path: Path, files: Stamps) -> str:
        """What the checkpoint lacks to count as complete; empty if nothing."""
        known, since = self._since.get(path, (None, 0.0))
        if known != files:
            self._since[path] = files, self._clock()
            since = self._clock()
        if self._completion.marker is not None:
            name = self._completion.marker
            return "" if (path / name).exists() else f"incomplete: contains no {name} yet"
        if self._completion.by_trainer_state and (path / TRAINER_STATE).is_file():
            return ""
        left = self._completion.quiet_seconds - (self._clock() - since)
        return f"complete if nothing changes for {left:.0f} s" if left > 0 else ""


def _order(one: Unmeasured) -> tuple[bool, int, str]:
    return one.tokens is None, one.tokens or 0, one.path.name


def _or_before(ask: Callable[[], T], before: T | None, faults: list[str]) -> T:
    """The result of `ask`; if it fails, `before`, and the reason is added to `faults`.

    Raises InvalidInput or StoreUnavailable if `before` is None.
    """
    try:
        return ask()
    except (InvalidInput, StoreUnavailable) as error:
        if before is None:
            raise
        faults.append(str(error))
        return before
