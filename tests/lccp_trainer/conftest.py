"""Fixtures of the trainer's tests."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from trainer_world import World


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models (HunYuanMoE, random) and `data` (seeded documents)."""
    import trainer_model  # takes seconds, and most tests need no model

    root = tmp_path_factory.mktemp("tiny")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer_model.make(root)
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
