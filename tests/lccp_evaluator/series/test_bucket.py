"""A watch of checkpoints in a bucket of a real S3 server sees what a watch of a folder sees."""

import shutil
import uuid
from pathlib import Path

import pytest
from foreign import a_foreign_checkpoint
from seaweedfs import IMPATIENT, SeaweedFS

from lccp.contract.errors import Conflict, InvalidInput, StoreUnavailable
from lccp.probes.probe import Contexts
from lccp.store.directory import upload_directory
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.open import open_store
from lccp.store.port import ObjectInfo, Store
from lccp_evaluator.checkpoint import checkpoint_directory, read_manifest
from lccp_evaluator.importer.copies import Copies
from lccp_evaluator.series.bucket import InBucket, Mirror
from lccp_evaluator.series.checkpoints import Completion
from lccp_evaluator.series.conversion import Conversion
from lccp_evaluator.series.formats import Foreign, Format, HuggingFace
from lccp_evaluator.series.tokens import TokenCounts
from lccp_evaluator.series.view import Unmeasured, View
from lccp_evaluator.series.watch import Watch

pytestmark = pytest.mark.s3
KEYS = RunKeys("default", "attached")


class World:
    """A trainer's bucket, and a watch that copies from it; its clock stands still."""

    def __init__(self, bucket: Store, root: Path, completion: Completion) -> None:
        self.bucket, self.root, self.completion = bucket, root, completion
        self.store, self.now = FileStore(root / "store"), 0.0
        (root / "store").mkdir()
        self.start(HuggingFace())

    def start(self, inner: Format, bucket: Store | None = None) -> None:
        self.mirror = Mirror(bucket or self.bucket, self.root / "scratch", "tokens.yaml")
        copies = Copies(self.store, KEYS, "a1-00000000", Contexts(4, 8, 8), shutil.rmtree)
        self.watch = Watch(
            self.mirror.listed,
            copies,
            lambda: TokenCounts(per_step=10),
            self.completion,
            lambda: self.now,
            InBucket(self.mirror, inner),
        )
        self.copies = copies

    def write(self, step: int, value: int = 0, state: bool = True) -> Path:
        """What the trainer uploads, and where it was before."""
        path = self.root / "trainer" / f"checkpoint-{step}"
        a_foreign_checkpoint(path, value, step if state else None)
        (path / "optimizer.pt").write_bytes(bytes(1_000))
        upload_directory(self.bucket, path, path.name)
        return path

    def work(self) -> View:
        """Copy what is complete; the view after that."""
        while (view := self.watch.look()).next is not None:
            self.watch.advance(view.next, view, lambda view: None, 1.0)
        return view


@pytest.fixture
def bucket(seaweedfs: SeaweedFS, tmp_path: Path) -> Store:
    keys = seaweedfs.credentials(tmp_path / "keys")
    return open_store(seaweedfs.config(f"trainer/{uuid.uuid4().hex}", keys))


@pytest.fixture
def world(bucket: Store, tmp_path: Path) -> World:
    return World(bucket, tmp_path, Completion())


def rows(view: View) -> list[tuple[str, str]]:
    return [(row.path.name, row.state) for row in view.unmeasured]


def note(view: View) -> str:
    row: Unmeasured
    (row,) = view.unmeasured
    return row.note


def test_a_prefix_that_holds_nothing_yet_is_waited_for(world: World) -> None:
    assert world.work().unmeasured == ()
    world.write(2)
    assert world.work().unmeasured == ()
    assert world.copies.tokens() == (20,)


def test_the_copy_is_the_model_and_no_optimizer_is_fetched(world: World) -> None:
    path = world.write(2)
    world.work()
    manifest = read_manifest(world.store, KEYS, 20)
    with checkpoint_directory(world.store, KEYS, manifest) as directory:
        names = {one.name: one.read_bytes() for one in directory.iterdir()}
    wanted = ("config.json", "model.safetensors")
    assert names == {name: (path / name).read_bytes() for name in wanted}
    assert manifest.step == 2
    assert not list(world.mirror.fetched.rglob("*.*"))


def test_weights_that_the_configuration_names_are_copied_with_their_index(
    world: World, bucket: Store
) -> None:
    path = world.root / "checkpoint-2"
    a_foreign_checkpoint(path, state=2)
    (path / "model.safetensors").rename(path / "part.safetensors")
    (path / "own.safetensors.index.json").write_text('{"weight_map": {"a": "part.safetensors"}}')
    (path / "config.json").write_text('{"transformers_weights": "own.safetensors.index.json"}')
    (path / "generation_config.json").write_text('{"eos_token_id": 5}')
    upload_directory(bucket, path, path.name)
    world.work()

    manifest = read_manifest(world.store, KEYS, 20)
    assert set(manifest.files) == {
        "config.json",
        "generation_config.json",
        "own.safetensors.index.json",
        "part.safetensors",
    }


def test_a_late_checkpoint_is_copied_and_a_deleted_one_keeps_its_copy(world: World) -> None:
    world.write(5)
    world.work()
    world.write(2)
    world.bucket.delete("checkpoint-5/model.safetensors")
    world.bucket.delete("checkpoint-5/config.json")
    assert world.work().unmeasured == ()
    assert world.copies.tokens() == (20, 50)


def test_one_that_is_deleted_before_it_was_copied_is_told(world: World) -> None:
    path = world.write(2)
    world.watch.look()
    for one in path.iterdir():
        world.bucket.delete(f"checkpoint-2/{one.name}")
    assert rows(world.work()) == [("checkpoint-2", "Deleted")]


def test_one_that_is_half_uploaded_is_incomplete_and_told_by_its_address(world: World) -> None:
    whole = (world.write(2) / "model.safetensors").read_bytes()
    world.bucket.put("checkpoint-2/model.safetensors", whole[:-3])
    view = world.work()
    assert rows(view) == [("checkpoint-2", "Incomplete")]
    assert f"{world.bucket.url}/checkpoint-2/model.safetensors: is cut short" in note(view)

    world.bucket.put("checkpoint-2/model.safetensors", whole)
    assert world.work().unmeasured == ()


def test_a_rewritten_one_of_the_same_size_is_told_and_the_first_copy_stays(world: World) -> None:
    world.write(2, value=1)
    world.work()
    before = read_manifest(world.store, KEYS, 20)
    world.write(2, value=2)
    view = world.work()
    assert rows(view) == [("checkpoint-2", "LeftOut")]
    assert "it was rewritten, and the first copy" in note(view)
    assert read_manifest(world.store, KEYS, 20) == before


def test_without_a_marker_its_objects_must_not_change_for_the_quiet_time(world: World) -> None:
    world.write(2, value=1, state=False)
    assert "nothing changes for 30 s" in note(world.work())
    world.now = 29.0
    world.write(2, value=2, state=False)
    assert "nothing changes for 30 s" in note(world.work())
    world.now = 59.0
    assert world.work().unmeasured == ()


def test_a_marker_makes_complete(bucket: Store, tmp_path: Path) -> None:
    world = World(bucket, tmp_path, Completion(marker="DONE"))
    world.write(2)
    assert "contains no DONE yet" in note(world.work())
    bucket.put("checkpoint-2/DONE", b"")
    assert world.work().unmeasured == ()


class Disturbed:
    """A bucket whose trainer writes other weights once these were read."""

    def __init__(self, world: World) -> None:
        self.world, self.disturbs = world, iter((1,))

    def get_file(self, key: str, path: Path) -> None:
        self.world.bucket.get_file(key, path)
        if key.endswith(".safetensors") and next(self.disturbs, None):
            self.world.write(2, value=9)

    def __getattr__(self, name: str) -> object:
        return getattr(self.world.bucket, name)


def test_a_fetch_in_which_an_object_changes_is_none(world: World) -> None:
    world.write(2, value=1)
    mirror = Mirror(Disturbed(world), world.root / "other")  # type: ignore[arg-type]
    mirror.look()
    with pytest.raises(Conflict, match=r"model\.safetensors: was changed while it was fetched"):
        mirror.fetch(mirror.listed / "checkpoint-2", {"model.safetensors": None})


def test_one_that_changes_while_it_is_fetched_is_fetched_again(world: World) -> None:
    world.write(2, value=1)
    world.start(HuggingFace(), Disturbed(world))  # type: ignore[arg-type]
    assert world.work().unmeasured == ()
    manifest = read_manifest(world.store, KEYS, 20)
    with checkpoint_directory(world.store, KEYS, manifest) as directory:
        assert (directory / "model.safetensors").read_bytes()[-8:] == bytes([9] * 8)


def test_another_format_is_fetched_whole_and_converted_once(world: World) -> None:
    log = world.root / "converted"
    command = f"sh -c 'echo once >> {log}; cp -r {{input}}/inner/. {{output}}'"
    world.start(Foreign(Conversion(command, world.root / "models")))
    a_foreign_checkpoint(world.root / "dcp" / "inner", state=3)
    (world.root / "dcp" / "trainer_state.json").write_text('{"global_step": 3}')
    upload_directory(world.bucket, world.root / "dcp", "step-3")

    assert world.work().unmeasured == ()
    assert world.copies.tokens() == (30,)
    assert log.read_text() == "once\n"
    assert not list(world.mirror.fetched.iterdir())


def test_the_index_beside_the_checkpoints_is_read(world: World) -> None:
    world.bucket.put("tokens.yaml", b"checkpoint-2: 20")
    world.watch.look()
    assert (world.mirror.listed / "tokens.yaml").read_bytes() == b"checkpoint-2: 20"


def test_keys_that_are_no_files_do_no_harm(world: World) -> None:
    class Odd:
        def list(self, prefix: str) -> list[ObjectInfo]:
            found = world.bucket.list(prefix)
            names = ("../outside", "/absolute", "checkpoint-2", "a//b")
            return [*found, *(ObjectInfo(name, 0, "e", found[0].modified) for name in names)]

        def __getattr__(self, name: str) -> object:
            return getattr(world.bucket, name)

    world.write(2)
    world.start(HuggingFace(), Odd())  # type: ignore[arg-type]
    assert world.work().unmeasured == ()
    assert world.copies.tokens() == (20,)
    assert not (world.root / "outside").exists()


def test_a_disk_without_room_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(2)
    usage = shutil.disk_usage(world.root)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "must be fetched, but" in note(world.work())


def test_a_bucket_that_stays_away_keeps_what_was_seen_and_one_of_another_name_is_refused(
    seaweedfs: SeaweedFS, world: World, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    gone = seaweedfs.config("a", keys).model_copy(update={"endpoint": "http://127.0.0.1:9"})
    world.start(HuggingFace(), open_store(gone, patience=IMPATIENT))
    with pytest.raises(StoreUnavailable):
        world.watch.look()

    other = seaweedfs.config("a", keys).model_copy(update={"url": "s3://no-such-bucket/a"})
    world.start(HuggingFace(), open_store(other))
    with pytest.raises(InvalidInput, match="no-such-bucket"):
        world.watch.look()
