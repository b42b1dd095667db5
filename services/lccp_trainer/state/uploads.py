"""Uploads during the training: one runs, one may wait, a third blocks the training."""

import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lccp.contract.errors import LccpError

NICENESS = 10
"""Added to the process's niceness for the thread of uploads and the threads it starts."""


@contextmanager
def unsent(directory: Path) -> Iterator[Path]:
    """A folder that the block makes and fills; it is removed at the end, whatever happens.

    Raises LccpError if it can't be written. Its room is free again by then, so that a rank on a
    full disk can still leave its end.
    """
    try:
        yield directory
    except OSError as error:
        raise LccpError(
            f"TMPDIR: {directory} can't be written ({error.strerror or error}): make room, or set "
            "it to a folder of a larger disk"
        ) from None
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Uploader:
    """Runs jobs one after another in a thread whose priority is below that of the training.

    If a job fails, the next call here raises.
    """

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(maxsize=1)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` after the earlier ones; blocks while one is waiting already."""
        self.check()
        self._jobs.put(job)

    def check(self) -> None:
        """Raise the exception of a failed job."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Wait until all submitted jobs are done; raise the exception of a failed one."""
        done = threading.Event()
        self._jobs.put(done.set)
        while not done.wait(1.0) and self._failure is None:
            pass
        self.check()

    def finish(self) -> None:
        """Wait until all jobs are done; raise the exception of a failed one."""
        self._jobs.put(None)
        self._thread.join()
        self.check()

    def _work(self) -> None:
        _step_aside()
        while (job := self._jobs.get()) is not None:
            if self._failure is None:
                self._run(job)

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            self._failure = error


def _step_aside() -> None:
    """Let other threads go first; only Linux has a priority for each thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
