"""Opening a store, and checking that it supports what LCCP needs."""

import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import Conflict, InvalidInput, LccpError, StoreRefused
from lccp.store.file import FileStore
from lccp.store.port import Store
from lccp.store.s3.client import Patience
from lccp.store.s3.credentials import LateCredentials
from lccp.store.s3.store import S3Store

_NEVER_AN_ETAG = "00000000000000000000000000000000"


def open_store(
    config: StoreConfig,
    base_directory: Path | None = None,
    patience: Patience | None = None,
    late_credentials: bool = False,
) -> Store:
    """The store of `config`; a relative `file://` URL starts from `base_directory`.

    `file:///a/b` is the folder /a/b, `file://runs` the folder runs, `s3://bucket/prefix` a prefix
    of a bucket; `patience` bounds how long an S3 endpoint may be silent. No request is made.
    Raises InvalidInput, and StoreRefused if there are no credentials; with `late_credentials` each
    request raises it instead, until there are.
    """
    scheme, _, rest = config.url.partition("://")
    match scheme:
        case "file" if rest:
            return FileStore((base_directory or Path()) / unquote(rest))
        case "s3" if rest:
            late = LateCredentials(config) if late_credentials else None
            return S3Store(config, patience, late)
    raise InvalidInput(
        f"store URL: must be file:///folder, file://folder or s3://bucket/prefix, "
        f"not {config.url!r}"
    )


def probe(store: Store, below: str = "") -> None:
    """Write an object under the prefix `below`, conditionally too, and delete it.

    Raises StoreRefused if the store is read-only, or does not support conditional writes; in the
    same words each time.
    """
    name = f"{below}.probe"
    key = f"{name}-{uuid.uuid4().hex[:8]}"
    try:
        _write_conditionally(store, key)
    except LccpError as error:
        raise type(error)(str(error).replace(key, name)) from None


def _write_conditionally(store: Store, key: str) -> None:
    etag = store.put_if_absent(key, b"1")
    try:
        _must_lose(store, "If-None-Match", lambda: store.put_if_absent(key, b"2"))
        _must_lose(store, "If-Match", lambda: store.put_if_match(key, b"2", _NEVER_AN_ETAG))
        store.put_if_match(key, b"3", etag)
    finally:
        store.delete(key)


def _must_lose(store: Store, header: str, write: Callable[[], str]) -> None:
    try:
        write()
    except Conflict:
        return
    raise StoreRefused(
        f"store {store.url} ignores {header}: two writers could overwrite each other; "
        "use a store that supports conditional writes"
    )
