"""Benchmarks whose trainers take turns leave none of them stopped."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.long

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "training.py"
PATIENCE_SECONDS = 240.0


@pytest.fixture
def benchmark() -> Iterator[psutil.Popen]:
    with psutil.Popen(
        [sys.executable, BENCHMARK, "overhead", "--seconds", "600"], stderr=subprocess.DEVNULL
    ) as started:
        yield started
        for one in [*started.children(recursive=True), started] if started.is_running() else []:
            one.kill()


def is_stopped(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False


def test_a_benchmark_that_is_ended_leaves_no_trainer_stopped(benchmark: psutil.Popen) -> None:
    deadline, gangs = time.monotonic() + PATIENCE_SECONDS, list[psutil.Process]()
    while not any(map(is_stopped, gangs)):
        assert benchmark.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)
        gangs = benchmark.children(recursive=True)

    benchmark.send_signal(signal.SIGTERM)
    code = benchmark.wait(30)
    _, left = psutil.wait_procs(gangs, timeout=30)
    for one in left:
        one.kill()

    assert (code, left) == (1, [])
