"""A command that converts a checkpoint of another format into a Hugging Face directory.

The model of the checkpoint `step-100` is in `step-100/` of a cache, beside `step-100.json`, which
names the files that it was made from, and `step-100.log`, the output of the command.
"""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Annotated
from uuid import uuid4

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.objects.report import FileStamp
from lccp.api.spec.source import INPUT, OUTPUT
from lccp.contract.errors import Conflict, InvalidInput, LccpError
from lccp.store import objects
from lccp.store.directory import file_record
from lccp.store.file import FileStore
from lccp_evaluator.series.files import check_whole, stamps

TICK_SECONDS = 1.0
SECONDS_MAX = 14_400.0
"""The same as the default of an evaluation's deadline."""
MESSAGE_LENGTH_MAX = 300
CHANGES_MAX = 2
PARTIAL = ".partial"

Stamps = dict[str, FileStamp]


class ConversionSource(StoreObject):
    """`<name>.json` of the cache: what a model was made from."""

    command: Annotated[tuple[str, ...], Field(description="The command.")]
    digest: Annotated[str, Field(description="SHA-256 over names and contents of its input.")]
    files: Annotated[dict[str, FileStamp], Field(description="Files of its input, by name.")]


class Conversion:
    """Conversion by `command`, in which {input} and {output} stand for two directories.

    The first holds the checkpoint; the second exists and is empty. While the command runs, `tick`
    is called every second; an exception from it ends the command. Raises InvalidInput if one of
    the directories is not named.
    """

    def __init__(
        self,
        command: str,
        cache: Path,
        seconds_max: float = SECONDS_MAX,
        tick: Callable[[], None] = lambda: None,
        where: str = "--convert",
        kept: Callable[[Path], str] = "see {}".format,
    ) -> None:
        """`where` is the option or field that holds the command, for messages; `kept` says where
        the output of a failed command is, which is in the given file.
        """
        try:
            self._command = tuple(shlex.split(command))
        except ValueError as error:
            raise InvalidInput(f"{where}: is not a command: {error}") from None
        if not all(any(part in word for word in self._command) for part in (INPUT, OUTPUT)):
            raise InvalidInput(
                f"{where}: must name {INPUT}, a checkpoint, and {OUTPUT}, the Hugging Face "
                f"directory to make of it, not {command!r}"
            )
        self._cache, self._seconds_max, self._tick = cache, seconds_max, tick
        self._where, self._kept = where, kept
        self._changed = Counter[Path]()
        """How often each checkpoint changed while it was converted."""

    def model(self, path: Path) -> Path:
        """The Hugging Face directory that the checkpoint in `path` is converted into."""
        return self._cache / path.name

    def is_of(self, path: Path, files: Stamps) -> bool:
        """Whether this command made the model from a checkpoint with these contents.

        Raises InvalidInput if a file can't be read.
        """
        source = self._source(path)
        if source is None or source.command != self._command:
            return False
        if source.files == files:
            return True
        if source.files.keys() != files.keys() or source.digest != _digest(path, files):
            return False
        self._record(path, source.digest, files)
        return True

    def convert(self, path: Path, files: Stamps, now: Callable[[], Stamps]) -> None:
        """Recreate the model; an existing one is replaced once the new one is complete.

        Raises:
            InvalidInput: the command failed, took too long, left no complete model, or seems to
                write into the checkpoint.
            Conflict: the checkpoint's files are no longer `files`.
        """
        self._check_unchanged(path)
        made = self.model(path)
        partial = self._cache / f".{path.name}.{uuid4().hex}{PARTIAL}"
        try:
            self._delete_partial(path)
            partial.mkdir(parents=True)
            digest = _digest(path, files)
            fault = self._fault(path, partial)
            if now() != files:
                self._changed[path] += 1
                raise Conflict(f"{path}: was changed while it was converted")
            if fault:
                raise InvalidInput(fault)
            (self._cache / f"{path.name}.json").unlink(missing_ok=True)
            shutil.rmtree(made, ignore_errors=True)
            partial.rename(made)
            self._record(path, digest, files)
            self._changed.pop(path, None)
        except OSError as error:
            raise InvalidInput(f"{made}: can't be written: {error.strerror}") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _check_unchanged(self, path: Path) -> None:
        """Raise InvalidInput, once, if the checkpoint changed whenever it was converted."""
        if self._changed[path] == CHANGES_MAX:
            del self._changed[path]
            raise InvalidInput(
                f"{path}: was changed {CHANGES_MAX} times while it was converted: the command of "
                f"{self._where} must not write into {INPUT}"
            )

    def _delete_partial(self, path: Path) -> None:
        """Delete what killed conversions left, whose commands may still run."""
        for left in self._cache.glob(f".{escape(path.name)}.*{PARTIAL}"):
            shutil.rmtree(left, ignore_errors=True)

    def _fault(self, path: Path, output: Path) -> str:
        """Run the command; return what failed, empty if `output` holds a complete model."""
        log = self._cache / f"{path.name}.log"
        words = [
            word.replace(INPUT, str(path.resolve())).replace(OUTPUT, str(output.resolve()))
            for word in self._command
        ]
        try:
            code = _run(words, log, self._seconds_max, self._tick)
        except OSError as error:
            return f"{self._where}: {words[0]} can't be run: {error.strerror}"
        except subprocess.TimeoutExpired:
            return f"{self._where}: took longer than {self._seconds_max:,.0f} s ({self._kept(log)})"
        if code:
            return (
                f"{self._where}: ended with exit code {code}: {_last_line(log)} ({self._kept(log)})"
            )
        try:
            check_whole(output)
            stamps(output)
        except (InvalidInput, OSError) as error:
            told = str(error).replace(str(output), OUTPUT)
            return f"{self._where}: wrote no complete model: {told} ({self._kept(log)})"
        return ""

    def _source(self, path: Path) -> ConversionSource | None:
        """The record; None if it can't be read, and so the model is recreated."""
        try:
            return objects.read_or_none(FileStore(self._cache), _key(path), ConversionSource)
        except LccpError:
            return None

    def _record(self, path: Path, digest: str, files: Stamps) -> None:
        source = ConversionSource(command=self._command, digest=digest, files=files)
        objects.write(FileStore(self._cache), _key(path), source)


def _key(path: Path) -> str:
    return f"{path.name}.json"


def _run(words: list[str], log: Path, seconds_max: float, tick: Callable[[], None]) -> int:
    """The command's exit code. All processes that it started end with it."""
    latest = time.monotonic() + seconds_max
    with (
        log.open("wb") as output,
        subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            while (left := latest - time.monotonic()) > TICK_SECONDS:
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(TICK_SECONDS)
                tick()
            return process.wait(max(0.0, left))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    told = next((line.strip() for line in reversed(lines) if line.strip()), "it printed nothing")
    shown = told[:MESSAGE_LENGTH_MAX]
    return "".join(one if one.isprintable() else "?" for one in shown)


def _digest(path: Path, files: Stamps) -> str:
    """SHA-256 over names and contents of a checkpoint's files. Raises InvalidInput."""
    lines = (f"{name} {file_record(path / name).sha256}\n" for name in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
