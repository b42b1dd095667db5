"""Makes shards in this process, or in several."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any

from lccp.contract.errors import LccpError
from lccp_trainer.data.sharding import ShardTask, Tell
from lccp_trainer.data.shards import ShardRecord

POLL_SECONDS = 0.5
PARALLELISM = "TOKENIZERS_PARALLELISM"


def each(tasks: list[ShardTask], workers: int, tell: Tell) -> Iterator[tuple[int, ShardRecord]]:
    """The record of each task as it finishes; a single process uses every core.

    If one fails, or the caller ends the iteration, the others end at once.
    """
    with _tokenizer_threads(workers <= 1):
        if workers > 1:
            yield from _each_spread(tasks, workers, tell)
            return
        for task in tasks:
            yield task.number, task.run(tell)


def _each_spread(
    tasks: list[ShardTask], workers: int, tell: Tell
) -> Iterator[tuple[int, ShardRecord]]:
    spawn = get_context("spawn")
    read = spawn.RawArray("Q", max(task.number for task in tasks) + 1)
    with ProcessPoolExecutor(workers, spawn, initializer=_share, initargs=(read,)) as pool:
        running = {pool.submit(_run, task): task.number for task in tasks}
        try:
            while running:
                ended, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                for future in ended:
                    yield running.pop(future), future.result()
                for number in running.values():
                    tell(number, read[number])
        except BrokenProcessPool:
            raise LccpError(
                f"{tasks[0].where}: a tokenizing process was killed, perhaps because memory ran "
                "out: try again with fewer --workers; finished files are kept"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.kill()
            raise


_shared: Any = None
"""In a process of the pool: bytes of text read, by the file's number."""


def _share(read: Any) -> None:
    """Set up a process of the pool. It leaves a terminal's Ctrl-C to its parent, which ends it."""
    global _shared
    _shared = read
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(task: ShardTask) -> ShardRecord:
    return task.run(_shared.__setitem__)


@contextmanager
def _tokenizer_threads(allowed: bool) -> Iterator[None]:
    """Within it a call of the tokenizer may use every core, or only one."""
    before = os.environ.get(PARALLELISM)
    os.environ[PARALLELISM] = "true" if allowed else "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PARALLELISM]
        else:
            os.environ[PARALLELISM] = before
