"""Worlds of attempts, and the ends of attempts."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path += [str(folder) for folder in (ROOT / "tests" / "support").iterdir()]

from seaweedfs import SeaweedFS  # noqa: E402
from trainer_world import BATCH_ROWS, ROW, Attempt, World  # noqa: E402

from lccp.api.invocation import StoreConfig  # noqa: E402
from lccp.api.objects.journal import Control  # noqa: E402
from lccp.store.keys import RunKeys  # noqa: E402
from lccp.store.objects import read, write  # noqa: E402

STEP = BATCH_ROWS * ROW
KEYS = RunKeys("default", "run")
STATE_EVERY_STEPS = 4


@dataclass(frozen=True)
class Seen:
    """The result of a fault."""

    holds: bool
    told: str


@dataclass(kw_only=True)
class BucketWorld(World):
    """A world whose store is a bucket."""

    server: SeaweedFS

    @property
    def store_config(self) -> StoreConfig:
        return self.server.config("faults", self.server.credentials(self.root / "keys"))


@dataclass
class Bench:
    """Worlds that share model and documents."""

    folder: Path
    worlds: list[World] = field(default_factory=list)

    def world(self) -> World:
        """A new world, whose model and documents may be changed."""
        root = self.folder / f"world-{len(self.worlds)}"
        root.mkdir()
        for name in ("model", "data"):
            shutil.copytree(self.folder / "tiny" / name, root / name)
        self.worlds.append(World(root))
        return self.worlds[-1]

    def bucket_world(self, server: SeaweedFS) -> World:
        """A new world, whose store is a bucket of `server`."""
        bucket = BucketWorld(self.world().root, server=server)
        self.worlds.append(bucket)
        return bucket

    def close(self) -> None:
        for world in self.worlds:
            world.close()


def run(world: World, steps: int = 4, attempt: int = 1, **spec: Any) -> Attempt:
    """Run an attempt of `steps` steps to its end, with a checkpoint and a state every two."""
    training = {"tokens": steps * STEP} | spec.pop("training", {})
    checkpoints = {"everyTokens": 2 * STEP} | spec.pop("checkpoints", {})
    document = world.document(training=training, checkpoints=checkpoints, **spec)
    started = world.start(document, attempt)
    started.wait()
    return started


def ended(attempt: Attempt, code: int, *words: str) -> Seen:
    """Check that it ended with the code, and that its message contains the words."""
    found, told = attempt.process.returncode, attempt.end.message
    return Seen(found == code and all(word in told for word in words), f"{found}: {told}")


def endless(
    world: World, attempt: int = 1, layout: dict[str, Any] | None = None, **environ: str
) -> Attempt:
    document = world.document(
        training={"tokens": 100_000 * STEP, "microBatchSize": 1, "deepspeed": layout or {}},
        checkpoints={
            "everyTokens": 50_000 * STEP,
            "stateEveryTokens": STATE_EVERY_STEPS * STEP,
        },
    )
    return world.start(document, attempt, **environ)


def drain(world: World, attempt: int) -> None:
    key = KEYS.control(attempt)
    control = read(world.store, key, Control)
    write(world.store, key, control.model_copy(update={"request": "Drain"}))
