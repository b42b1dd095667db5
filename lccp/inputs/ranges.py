"""Inputs of which only a part is fetched: the rest stays in its bucket, and is read by ranges.

A folder that was fetched in part holds `origin.json`, which names all files, as they were found.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lccp.api.invocation import StoreConfig
from lccp.api.objects.inputs import Input
from lccp.contract.errors import InvalidInput
from lccp.contract.location import BucketLocation, remote_location
from lccp.inputs.bucket import Bucket
from lccp.inputs.remote import Wanted
from lccp.store.patience import patiently

ORIGIN = "origin.json"
PATIENCE_SECONDS = 240.0
"""As long the reader waits for a store that is down. Meanwhile the other processes wait for it, so
`hangTimeoutSeconds` bounds it too."""

Read = Callable[[str, int, int], bytes]
"""Bytes of a file: its name in the folder, the first byte, how many."""
Open = Callable[[Input], Read]
"""A reader of the files of an input where they are."""


def part_of(found: Input, wanted: Wanted) -> Input:
    """The input with the wanted ones of its files."""
    files = {name: file for name, file in found.files.items() if wanted(name)}
    return found.model_copy(update={"files": files})


def write_origin(folder: Path, found: Input) -> None:
    """Note in `folder` where its other files are."""
    (folder / ORIGIN).write_text(json.dumps(found.document()))


def origin_of(folder: Path) -> Input | None:
    """Where the other files of a folder are that was fetched in part; None: it is whole."""
    path = folder / ORIGIN
    return Input.parse(json.loads(path.read_bytes()), str(path)) if path.is_file() else None


def not_here(origin: Input) -> Read:
    """A reader for those who need none: it refuses."""

    def read(name: str, start: int, length: int) -> bytes:
        raise InvalidInput(f"{origin.location}/{name} is only in its bucket")

    return read


def reader(config: StoreConfig, origin: Input) -> Read:
    """Reads with endpoint and credentials of the run's store; several threads may.

    A reader raises InvalidInput if a file has changed since it was found, or was deleted, and
    StoreUnavailable or StoreRefused if the bucket gives nothing for `PATIENCE_SECONDS`.
    """
    location = remote_location(origin.location)
    assert isinstance(location, BucketLocation)
    bucket = Bucket(location, config, origin.location)

    def read(name: str, start: int, length: int) -> bytes:
        path = f"{origin.path}/{name}"
        return patiently(partial(bucket.read, origin, path, start, length), PATIENCE_SECONDS)

    return read
