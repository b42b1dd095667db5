"""Checkpoints of another trainer are copied whole, once, as if our own trainer had written them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from foreign import a_foreign_checkpoint

from lccp.contract.errors import Conflict, InvalidInput
from lccp.probes.probe import Contexts
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_evaluator.checkpoint import checkpoint_directory, read_manifest
from lccp_evaluator.importer.copies import Copies
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.files import digest
from lccp_evaluator.series.tokens import Trained

KEYS = RunKeys("default", "attached")


def ignore(done: Done) -> None:
    pass


class World:
    def __init__(self, root: Path) -> None:
        self.root, self.store = root, FileStore(root / "store")
        (root / "store").mkdir()
        self.copies = self.copies_of("a1-00000000")

    def copies_of(self, writer: str, *copied: Callable[[Path], None]) -> Copies:
        return Copies(self.store, KEYS, writer, Contexts(256, 512, 512), *copied)

    def checkpoint(self, step: int, value: int = 0) -> CheckpointDirectory:
        path = a_foreign_checkpoint(self.root / "checkpoints" / f"step-{step}", value)
        return CheckpointDirectory(path, Trained(10 * step, step))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_evaluator_finds_a_copy_as_it_finds_a_checkpoint_of_our_own(world: World) -> None:
    one = world.checkpoint(3)
    (one.path / "optimizer.pt").write_text("large")
    world.copies.evaluate(one, ignore)

    manifest = read_manifest(world.store, KEYS, 30)
    assert (manifest.step, manifest.source_context_length) == (3, 256)
    assert manifest.digest == digest(one.path)
    with checkpoint_directory(world.store, KEYS, manifest) as directory:
        assert {p.name for p in directory.iterdir()} == {"config.json", "model.safetensors"}
    assert world.copies.tokens() == (30,)


def test_a_copy_is_known_again_also_by_the_next_importer(world: World) -> None:
    one = world.checkpoint(3)
    assert world.copies.report(one) is None
    made = world.copies.evaluate(one, ignore)

    assert world.copies.report(one) == made
    assert world.copies_of("a2-00000000").report(one) == made


def test_a_model_that_is_deleted_once_it_is_copied_counts_as_copied(world: World) -> None:
    one = world.checkpoint(3)
    copies = world.copies_of("a1-00000000", shutil.rmtree)
    assert not copies.settled(30)
    made = copies.evaluate(one, ignore)

    assert not one.path.exists()
    assert copies.report(one) == made
    assert copies.settled(30)
    assert world.copies_of("a2-00000000").settled(30)


def test_a_checkpoint_that_was_rewritten_is_not_copied_over_the_first(world: World) -> None:
    world.copies.evaluate(world.checkpoint(3), ignore)
    again = world.checkpoint(3, value=1)

    with pytest.raises(InvalidInput, match="it was rewritten, and the first copy"):
        world.copies.report(again)
    with pytest.raises(Conflict):
        world.copies.evaluate(again, ignore)


def test_a_copy_of_files_that_change_meanwhile_does_not_exist(tmp_path: Path) -> None:
    class Disturbed(FileStore):
        """Once the weights are written, the trainer writes others."""

        def put_file(self, key: str, path: Path) -> str:
            etag = super().put_file(key, path)
            if path.suffix == ".safetensors":
                a_foreign_checkpoint(path.parent, value=7)
            return etag

    (tmp_path / "store").mkdir()
    store = Disturbed(tmp_path / "store")
    copies = Copies(store, KEYS, "a1-00000000", Contexts(256, 512, 512))
    path = a_foreign_checkpoint(tmp_path / "step-1", value=1)
    for file in path.iterdir():
        os.utime(file, (0, 0))  # the file system's clock may stand still for milliseconds

    with pytest.raises(Conflict, match="was changed while it was copied"):
        copies.evaluate(CheckpointDirectory(path, Trained(10, 1)), ignore)
    assert copies.tokens() == ()
