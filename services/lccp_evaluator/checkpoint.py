"""A checkpoint on this machine, verified against its manifest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.contract.errors import InvalidInput, NotFound
from lccp.store import objects
from lccp.store.assignment import check_place
from lccp.store.directory import download_directory, file_record
from lccp.store.keys import BranchKeys, RunKeys, TrainingKeys
from lccp.store.port import Store

FILE_SCHEME = "file://"


def read_manifest(store: Store, keys: RunKeys | BranchKeys, tokens: int) -> Manifest:
    """The manifest of the run's checkpoint at `tokens`, or of the end of a branch from it.

    Raises InvalidInput if there is none; StoreRefused if the store does not hold the run either.
    """
    if isinstance(keys, BranchKeys):
        made = objects.branch_end(store, keys)
        if made is None:
            check_place(store, keys.run)
            raise InvalidInput(f"store {store.url}: there is no checkpoint below {keys.prefix}")
        return made
    try:
        return objects.read(store, keys.checkpoint_manifest(tokens), Manifest)
    except NotFound:
        check_place(store, keys)
        raise InvalidInput(
            f"store {store.url}: there is no checkpoint at {tokens} tokens "
            f"({keys.checkpoint_manifest(tokens)} is missing)"
        ) from None


@contextmanager
def checkpoint_directory(store: Store, keys: TrainingKeys, manifest: Manifest) -> Iterator[Path]:
    """The checkpoint's files: in place in a `file://` store, else a temporary copy.

    Raises:
        InvalidInput: a file is missing or differs from the manifest.
    """
    prefix = keys.checkpoint(manifest.tokens, manifest.writer)
    if store.url.startswith(FILE_SCHEME):
        folder = Path(store.url.removeprefix(FILE_SCHEME)) / prefix
        _verify(folder, manifest.files)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="lccp-") as scratch:
        folder = Path(scratch) / "checkpoint"
        download_directory(store, prefix, manifest.files, folder)
        yield folder


def _verify(folder: Path, files: dict[str, FileRecord]) -> None:
    for name, record in files.items():
        if file_record(folder / name) != record:
            raise InvalidInput(f"file {folder / name}: is damaged: it does not match its manifest")
