"""A checkpoint on this machine matches its manifest."""

from pathlib import Path
from typing import Any, cast

import pytest

from lccp.api.objects.manifest import Manifest
from lccp.api.objects.run import RunIdentity
from lccp.contract.errors import InvalidInput, StoreRefused
from lccp.store.directory import file_record
from lccp.store.file import FileStore
from lccp.store.keys import BranchKeys, RunKeys
from lccp.store.objects import write
from lccp.store.port import Store
from lccp_evaluator.checkpoint import checkpoint_directory, read_manifest

KEYS = RunKeys("lab", "tiny")
TOKENS, WRITER = 8_192, "a1-00000000"


class Remote:
    """A store that is not a folder of this machine."""

    url = "s3://bucket"

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """A store with a checkpoint of two files."""
    store = FileStore(tmp_path / "store")
    files = {}
    for name in ("config.json", "sub/model.safetensors"):
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        store.put_file(f"{KEYS.checkpoint(TOKENS, WRITER)}{name}", path)
        files[name] = file_record(path)
    manifest = Manifest(
        kind="Checkpoint",
        tokens=TOKENS,
        step=2,
        writer=WRITER,
        files=files,
        source_context_length=256,
        target_context_length=512,
    )
    write(store, KEYS.checkpoint_manifest(TOKENS), manifest)
    return store


def names(store: Store) -> dict[str, str]:
    """The contents of the checkpoint's files, by name."""
    with checkpoint_directory(store, KEYS, read_manifest(store, KEYS, TOKENS)) as folder:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): path.read_text() for path in files}


CONTENT = {name: name for name in ("config.json", "sub/model.safetensors")}


def test_files_of_a_folder_are_used_where_they_lie(store: FileStore, tmp_path: Path) -> None:
    manifest = read_manifest(store, KEYS, TOKENS)

    with checkpoint_directory(store, KEYS, manifest) as folder:
        assert folder == tmp_path / "store" / KEYS.checkpoint(TOKENS, WRITER)
    assert names(store) == CONTENT
    assert folder.exists()


def test_files_of_another_store_are_copied_and_gone_afterwards(store: FileStore) -> None:
    remote = cast(Store, Remote(store))
    manifest = read_manifest(remote, KEYS, TOKENS)

    with checkpoint_directory(remote, KEYS, manifest) as folder:
        assert (folder / "config.json").read_text() == "config.json"
    assert not folder.exists()
    assert names(remote) == CONTENT


@pytest.mark.parametrize("is_remote", [False, True], ids=["folder", "another store"])
def test_a_file_that_was_changed_is_named(store: FileStore, is_remote: bool) -> None:
    store.put(f"{KEYS.checkpoint(TOKENS, WRITER)}config.json", b"changed....")

    with pytest.raises(InvalidInput, match=r"config\.json"):
        names(cast(Store, Remote(store)) if is_remote else store)


def test_a_checkpoint_that_is_not_there_is_named(store: FileStore) -> None:
    write(store, KEYS.identity, RunIdentity(namespace="lab", name="tiny", identity={}))
    with pytest.raises(
        InvalidInput, match=r"there is no checkpoint at 9 tokens \(.*manifest\.json"
    ):
        read_manifest(store, KEYS, 9)


@pytest.mark.parametrize("keys", [KEYS, KEYS.branch(TOKENS)], ids=["a run", "a branch"])
def test_in_another_place_the_store_is_at_fault_and_not_the_checkpoint(
    keys: RunKeys | BranchKeys, tmp_path: Path
) -> None:
    """Whoever started the evaluator had found the checkpoint: it may be there again."""
    with pytest.raises(StoreRefused, match=r"there is no lab/tiny/run.json, which whoever starts"):
        read_manifest(FileStore(tmp_path), keys, TOKENS)
