"""Processes, disks and stores that fail under an attempt."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from world import Bench, Seen, drain, ended, endless, run


def killed_rank(bench: Bench) -> Seen:
    attempt = endless(bench.world())
    attempt.wait_for_step(1)
    attempt.ranks()[1].kill()
    attempt.wait()
    return ended(attempt, 70, "rank 1 was killed by SIGKILL")


def killed_launcher(bench: Bench) -> Seen:
    """What it leaves in the temporary folder is gone once the next attempt has begun."""
    world = bench.world()
    temporary = world.root / "temporary"
    temporary.mkdir()
    first = endless(world, TMPDIR=str(temporary))
    first.wait_for_step(1)
    first.process.kill()
    first.wait()
    time.sleep(3)
    second = endless(world, 2, TMPDIR=str(temporary))
    second.wait_for_step(1)
    during = len(list(temporary.glob("lccp-train-*")))
    drain(world, 2)
    second.wait()
    after = len(list(temporary.glob("lccp-train-*")))
    return Seen((during, after) == (1, 0), f"folders of scratch: {during}, after the end {after}")


def full_disk(bench: Bench) -> Seen:
    """A store on a file system of 2 MiB, which the second checkpoint does not fit."""
    world = bench.world()
    store = world.root / "store"
    store.mkdir()
    with mounted(store, "2m"):
        started = time.monotonic()
        attempt = run(world, steps=40, training={"logEverySteps": 10})
        seconds = time.monotonic() - started
        try:
            told = attempt.end.message
        except Exception:
            told = attempt.log.splitlines()[-1]
    return Seen(
        attempt.process.returncode == 69, f"{attempt.process.returncode}: {told} ({seconds:.0f} s)"
    )


def store_down(bench: Bench) -> Seen:
    """The store's folder is gone for two minutes."""
    world = bench.world()
    attempt = endless(world)
    attempt.wait_for_step(1)
    store, away = world.root / "store", world.root / "away"
    store.rename(away)
    store.touch()
    time.sleep(120)
    store.unlink()
    away.rename(store)
    before = attempt.heartbeat.step
    attempt.wait_for_step(before + 5)
    drain(world, 1)
    attempt.wait()
    steps = [record.step for record in attempt.history]
    whole = steps == list(range(1, len(steps) + 1))
    told = f"{attempt.process.returncode}: {len(steps)} steps, none missing: {whole}"
    return Seen(attempt.process.returncode == 0 and whole, told)


def terminated(bench: Bench) -> Seen:
    world = bench.world()
    attempt = endless(world)
    attempt.wait_for_step(3)
    attempt.process.terminate()
    attempt.wait()
    saved = attempt.end.tokens in attempt.heartbeat.states
    return Seen(
        saved and attempt.process.returncode == 75,
        f"{attempt.process.returncode}: {attempt.end.message}",
    )


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "lccp", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


CASES: dict[str, Callable[[Bench], Seen]] = {
    "rank 1 gets SIGKILL": killed_rank,
    "SIGTERM": terminated,
    "the launcher gets SIGKILL: its scratch": killed_launcher,
    "the store's disk is full": full_disk,
    "the store is down for two minutes": store_down,
}
