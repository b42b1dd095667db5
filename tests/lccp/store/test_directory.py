"""Directories are put into a store and come back complete, or not at all."""

import random
import threading
from pathlib import Path

import pytest

from lccp.api.objects.manifest import FileRecord
from lccp.contract.errors import InvalidInput, LccpError, NotFound, StoreUnavailable
from lccp.store import directory as directory_module
from lccp.store.directory import (
    delete_prefix,
    download_directory,
    file_record,
    upload_directory,
)
from lccp.store.file import FileStore
from lccp.store.port import Store

PREFIX = "ns/run/checkpoints/000000000004096/a1-0123abcd/"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A directory with small, large, empty and nested files."""
    folder = tmp_path / "checkpoint"
    (folder / "nested" / "deeper").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "empty").touch()
    (folder / "model.safetensors").write_bytes(random.Random(0).randbytes(3 << 20))
    (folder / "nested" / "deeper" / "tokenizer.json").write_bytes(b"tokens")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_directory_comes_back_as_it_was(store: Store, checkpoint: Path, tmp_path: Path) -> None:
    told: list[int] = []
    records = upload_directory(store, checkpoint, PREFIX, on_bytes=told.append)
    target, fetched = tmp_path / "deep" / "target", list[int]()
    download_directory(store, PREFIX, records, target, on_bytes=fetched.append)
    assert sorted(fetched) == sorted(told)
    assert contents(target) == contents(checkpoint)
    assert list(records) == sorted(contents(checkpoint))
    assert records == {name: file_record(checkpoint / name) for name in contents(checkpoint)}
    assert sorted(told) == sorted(record.size for record in records.values())
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("flipped", r"its SHA-256 is not the recorded one"),
        ("cut short", r"has \d+ bytes, not \d+"),
        ("emptied", r"has 0 bytes, not \d+"),
    ],
)
def test_a_damaged_object_is_named_and_leaves_no_directory(
    store: Store, checkpoint: Path, tmp_path: Path, name: str, damage: str, sentence: str
) -> None:
    records = upload_directory(store, checkpoint, PREFIX)
    whole = (checkpoint / name).read_bytes()
    damaged = {
        "flipped": bytes([whole[0] ^ 1]) + whole[1:],
        "cut short": whole[:-1],
        "emptied": b"",
    }
    store.put(f"{PREFIX}{name}", damaged[damage])
    with pytest.raises(InvalidInput, match=rf"{PREFIX}{name}: is damaged: {sentence}"):
        download_directory(store, PREFIX, records, tmp_path / "target")
    assert {path.name for path in tmp_path.iterdir()} <= {"checkpoint", "store"}


def test_a_missing_object_is_not_found_and_leaves_no_directory(
    store: Store, checkpoint: Path, tmp_path: Path
) -> None:
    records = upload_directory(store, checkpoint, PREFIX)
    store.delete(f"{PREFIX}empty")
    with pytest.raises(NotFound, match="empty"):
        download_directory(store, PREFIX, records, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_only_what_is_asked_for_is_fetched(store: Store, checkpoint: Path, tmp_path: Path) -> None:
    records = upload_directory(store, checkpoint, PREFIX)
    wanted = {"config.json": records["config.json"]}
    download_directory(store, PREFIX, wanted, tmp_path / "target")
    assert contents(tmp_path / "target") == {"config.json": b"{}"}


def test_an_empty_target_is_filled_and_a_full_one_is_left_alone(
    store: Store, checkpoint: Path, tmp_path: Path
) -> None:
    records = upload_directory(store, checkpoint, PREFIX)
    (tmp_path / "target").mkdir()
    download_directory(store, PREFIX, records, tmp_path / "target")
    (tmp_path / "target" / "config.json").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match=r"target: exists already"):
        download_directory(store, PREFIX, records, tmp_path / "target")
    assert (tmp_path / "target" / "config.json").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../out/file", "/tmp/out/file", "a/../../out/file", "a//b"])
def test_a_manifest_reaches_no_file_outside_the_directory(
    store: Store, checkpoint: Path, tmp_path: Path, name: str
) -> None:
    upload_directory(store, checkpoint, PREFIX)
    record = FileRecord(size=2, sha256="0" * 64)
    with pytest.raises(InvalidInput, match=f"key '{name}'"):
        download_directory(store, PREFIX, {name: record}, tmp_path / "inner" / "target")
    assert list((tmp_path / "inner").iterdir()) == []


@pytest.mark.parametrize("name", ["empty", "none"])
def test_nothing_to_upload_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=rf"{name}: contains no file"):
        upload_directory(FileStore(tmp_path / "store"), tmp_path / name, PREFIX)


class Meddled(FileStore):
    """A store that keeps other bytes of a file than it was sent."""

    def __init__(self, root: Path, kept: bytes) -> None:
        super().__init__(root)
        self._kept = kept

    def put_file(self, key: str, path: Path) -> None:
        self.put(key, self._kept)


@pytest.mark.parametrize(
    ("sent", "kept", "sentence"),
    [
        (b"{}", b"", "0 of 2 bytes arrived"),
        (b"{}", b"{} ", "3 of 2 bytes arrived"),
        (b"{}", b"[]", "does not contain what was sent"),
        (bytes(2 << 20), bytes(1 << 20), "1048576 of 2097152 bytes arrived"),
    ],
    ids=["empty", "long", "other", "large and cut"],
)
def test_what_did_not_arrive_is_noticed(
    tmp_path: Path, sent: bytes, kept: bytes, sentence: str
) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "config.json").write_bytes(sent)
    with pytest.raises(StoreUnavailable, match=rf"config\.json: {sentence}: upload it again"):
        upload_directory(Meddled(tmp_path / "store", kept), tmp_path / "there", PREFIX)


@pytest.mark.slow
def test_the_first_error_ends_what_has_not_begun(tmp_path: Path) -> None:
    begun: list[int] = []
    noticed = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 3:
            raise NotFound("three")
        if item > 3:
            noticed.wait(0.2)

    with pytest.raises(NotFound, match="three"):
        list(directory_module.in_parallel(work, range(12), workers=1))
    assert len(begun) < 12


@pytest.mark.parametrize("many", [1, 9])
def test_delete_prefix_deletes_the_folder_and_nothing_beside(store: Store, many: int) -> None:
    beside = ["ns/run2/a", "ns/runs", "ns/a"]
    for key in ["ns/run/a", *(f"ns/run/b/{number}" for number in range(many)), *beside]:
        store.put(key, b"1")
    delete_prefix(store, "ns/run")
    assert [info.key for info in store.list("")] == sorted(beside)
    delete_prefix(store, "ns/run/")


def test_the_files_of_a_small_state_are_deleted_without_threads(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting them took 2 of 4 ms of processor time with threads, after every saved state."""
    for name in ("a1-0123abcd/x", "a1-0123abcd/y", "a1-0123abcd/z", "manifest.json"):
        store.put(f"ns/run/state/{name}", b"1")
    monkeypatch.delattr(directory_module, "ThreadPoolExecutor")
    delete_prefix(store, "ns/run/state")
    assert store.list("") == []


@pytest.mark.parametrize("folder", ["", "/", "..", "a/../b"])
def test_delete_prefix_never_takes_the_whole_store(store: Store, folder: str) -> None:
    store.put("a", b"1")
    with pytest.raises(InvalidInput, match="key"):
        delete_prefix(store, folder)
    assert store.get("a") == b"1"


class Stubborn(FileStore):
    """A store that fails to delete all but manifests."""

    def delete(self, key: str) -> None:
        if not key.endswith("manifest.json"):
            raise StoreUnavailable(key)
        super().delete(key)


def test_a_deletion_that_breaks_off_leaves_nothing_complete(tmp_path: Path) -> None:
    store = Stubborn(tmp_path)
    for tokens in ("000000000000001", "000000000000002"):
        store.put(f"ns/run/state/{tokens}/a1-0123abcd/x", b"1")
        store.put(f"ns/run/state/{tokens}/manifest.json", b"{}")
    with pytest.raises(LccpError):
        delete_prefix(store, "ns/run/state")
    assert {info.key.rsplit("/", 1)[1] for info in store.list("")} == {"x"}


def test_a_file_whose_disk_fails_is_named() -> None:
    unreadable = Path("/proc/self/mem")  # its first page is never there

    with pytest.raises(OSError, match=r"Input/output error: '/proc/self/mem'"):
        file_record(unreadable)
