"""Fixtures of the trainer's tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trainer_world import World

MODEL_SCRIPT = Path(__file__).parents[1] / "support" / "models" / "trainer_model.py"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models (HunYuanMoE, random) and `data` (seeded documents)."""
    root = tmp_path_factory.mktemp("tiny")
    environ = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    subprocess.run(
        [sys.executable, MODEL_SCRIPT, root], check=True, env=environ, capture_output=True
    )
    return root


@pytest.fixture(scope="session")
def new_world(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], World]]:
    """Makes worlds that share model and documents, each with a store of its own."""
    worlds = []

    def make() -> World:
        root = tmp_path_factory.mktemp("world")
        for name in ("model", "poisoned", "data"):
            (root / name).symlink_to(tiny / name)
        worlds.append(World(root))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()
