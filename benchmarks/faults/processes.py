"""Processes, disks and stores that fail under an attempt."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seaweedfs import find_weed, running_seaweedfs
from world import Attempt, Bench, Seen, World, drain, ended, endless, run

DOWN_SECONDS = 120


def killed_rank(bench: Bench) -> Seen:
    attempt = endless(bench.world())
    attempt.wait_for_step(1)
    attempt.ranks()[1].kill()
    attempt.wait()
    return ended(attempt, 70, "rank 1 was killed by SIGKILL")


def killed_launcher(bench: Bench) -> Seen:
    """Its files in the temporary folder are gone once the next attempt has begun."""
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


def mount_away(bench: Bench) -> Seen:
    """The store's folder is a mount that disappears; its mount point stays."""
    world = bench.world()
    store, disk = world.root / "store", world.root / "disk"
    store.mkdir()
    disk.mkdir()
    with ExitStack() as mount:
        mount.enter_context(bound(disk, store))
        attempt = endless(world)
        attempt.wait_for_step(1)
        mount.close()
        time.sleep(DOWN_SECONDS)
        left = [path.name for path in store.iterdir()]
        mount.enter_context(bound(disk, store))
        seen = went_on(world, attempt)
        return Seen(seen.holds and not left, f"{seen.told}; left in the mount point: {left}")


def server_down(bench: Bench) -> Seen:
    """A real S3 server (SeaweedFS) is killed and restarted."""
    weed, folder = find_weed(), bench.folder / "weed"
    assert weed is not None, "SeaweedFS (weed) is not installed"
    folder.mkdir()
    with running_seaweedfs(weed, folder) as server:
        world = bench.bucket_world(server)
        attempt = endless(world)
        attempt.wait_for_step(1)
        server.kill()
        time.sleep(DOWN_SECONDS)
        server.start()
        return went_on(world, attempt)


def went_on(world: World, attempt: Attempt) -> Seen:
    """Check that the attempt survived an outage with every step, and ends well when drained."""
    attempt.wait_for_step(attempt.heartbeat.step + 5)
    drain(world, 1)
    attempt.wait()
    steps = [record.step for record in attempt.history]
    whole, code = steps == list(range(1, len(steps) + 1)), attempt.process.returncode
    told = f"{code}: {len(steps)} steps, none missing: {whole}"
    return Seen(code == 0 and whole and attempt.end.step == len(steps), told)


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
def bound(source: Path, folder: Path) -> Iterator[None]:
    """`source` mounted at `folder`."""
    subprocess.run(["mount", "--bind", source, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


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
    "the mount of the store's folder is gone for two minutes": mount_away,
    "the store's S3 server is down for two minutes": server_down,
}
