"""The cost of a piece of code: its time, and its memory above the previous level."""

import ctypes
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.005


@dataclass
class Cost:
    """Wall-clock seconds, processor seconds (unaffected by other load), and memory in MiB."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_mib: float = 0.0


@contextmanager
def costing() -> Iterator[Cost]:
    """The cost of the code inside: its time, and the rise of its memory above the current level."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # return memory that loading has freed
    cost, held, done = Cost(), _resident_mib(), threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            cost.memory_mib = max(cost.memory_mib, _resident_mib() - held)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    start = time.monotonic(), time.process_time()
    yield cost
    cost.seconds, cost.cpu_seconds = time.monotonic() - start[0], time.process_time() - start[1]
    done.set()


def _resident_mib() -> float:
    """Memory of this process without files (Linux); elsewhere its peak."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = next(row for row in status.read_text().splitlines() if row.startswith("RssAnon"))
    return int(line.split()[1]) / 2**10
