"""Objects are read as their own types."""

from collections.abc import Callable
from pathlib import Path

import pytest
from stored import complete_checkpoints, complete_states

from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.api.objects.run import RunIdentity
from lccp.contract.errors import Conflict, Incompatible, InvalidInput, NotFound
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.objects import (
    read,
    read_or_none,
    read_range,
    read_versioned,
    reports,
    write,
    write_if_absent,
    write_if_match,
)

KEYS = RunKeys(namespace="team", name="tiny")
IDENTITY = RunIdentity(namespace="team", name="tiny", digest="d" * 64, identity={"a": 1})


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    tmp_path.joinpath("store").mkdir()
    return FileStore(tmp_path / "store")


def manifest(kind: str, tokens: int, writer: str = "a1-0123abcd") -> Manifest:
    return Manifest(
        kind=kind,
        tokens=tokens,
        step=tokens // 8,
        writer=writer,
        files={"config.json": FileRecord(size=2, sha256="0" * 64)},
        source_context_length=256,
        target_context_length=512,
    )


def test_an_object_comes_back_equal(store: FileStore) -> None:
    write(store, KEYS.identity, IDENTITY)
    assert read(store, KEYS.identity, RunIdentity) == IDENTITY
    assert read_or_none(store, KEYS.identity, RunIdentity) == IDENTITY


def test_an_object_that_is_not_there_is_none_or_not_found(store: FileStore) -> None:
    assert read_or_none(store, KEYS.identity, RunIdentity) is None
    for get in (read, read_versioned):
        with pytest.raises(NotFound, match=KEYS.identity):
            get(store, KEYS.identity, RunIdentity)


@pytest.mark.parametrize("get", [read, read_or_none, read_versioned])
@pytest.mark.parametrize(
    ("data", "error", "sentence"),
    [
        (b'{"schemaVersion": 99}', Incompatible, "schema version 99"),
        (b"{}", Incompatible, "schema version None"),
        (b'{"schemaVersion": 1, "name": "x"', InvalidInput, "is not JSON"),
        (b'{"schemaVersion": 1}', InvalidInput, "is required"),
    ],
)
def test_an_object_that_is_something_else_is_refused_by_its_key(
    store: FileStore, get: Callable[..., object], data: bytes, error: type[Exception], sentence: str
) -> None:
    store.put(KEYS.identity, data)
    with pytest.raises(error, match=rf"team/tiny/run\.json: .*{sentence}"):
        get(store, KEYS.identity, RunIdentity)


def test_an_identity_is_written_once(store: FileStore) -> None:
    write_if_absent(store, KEYS.identity, IDENTITY)
    with pytest.raises(Conflict):
        write_if_absent(store, KEYS.identity, IDENTITY.model_copy(update={"digest": "e" * 64}))
    assert read(store, KEYS.identity, RunIdentity) == IDENTITY


def test_a_successor_needs_the_etag_of_what_it_succeeds(store: FileStore) -> None:
    first = write_if_absent(store, KEYS.identity, IDENTITY)
    assert read_versioned(store, KEYS.identity, RunIdentity).etag == first
    second = write_if_match(store, KEYS.identity, IDENTITY, first)
    with pytest.raises(Conflict):
        write_if_match(store, KEYS.identity, IDENTITY, first)
    assert read_versioned(store, KEYS.identity, RunIdentity).etag == second


def test_a_checkpoint_without_manifest_does_not_exist(store: FileStore) -> None:
    for tokens in (1_000_000, 0, 200_000):
        store.put(f"{KEYS.checkpoint(tokens, 'a1-0123abcd')}config.json", b"{}")
        store.put(f"{KEYS.checkpoint(tokens, 'a1-0123abcd')}manifest.json", b"{}")
    write(store, KEYS.checkpoint_manifest(1_000_000), manifest("Checkpoint", 1_000_000))
    write(store, KEYS.checkpoint_manifest(0), manifest("Checkpoint", 0))
    store.put(f"{KEYS.checkpoints}notes/manifest.json", b"not ours")
    write(store, KEYS.state_manifest(200_000), manifest("State", 200_000))
    assert [found.tokens for found in complete_checkpoints(store, KEYS)] == [0, 1_000_000]
    assert [found.tokens for found in complete_states(store, KEYS)] == [200_000]
    assert reports(store, KEYS) == []


def test_a_damaged_manifest_is_named_not_skipped(store: FileStore) -> None:
    write(store, KEYS.checkpoint_manifest(1), manifest("Checkpoint", 1))
    store.put(KEYS.checkpoint_manifest(2), b'{"schemaVersion": 1, "kind"')
    with pytest.raises(InvalidInput, match=rf"{KEYS.checkpoint_manifest(2)}: is not JSON"):
        complete_checkpoints(store, KEYS)


@pytest.mark.parametrize(("start", "length", "given"), [(0, 10, 10), (3, 5, 5), (8, 7, 2)])
def test_a_store_that_gives_less_than_asked_for_is_asked_for_the_rest(
    store: FileStore, start: int, length: int, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("a", b"0123456789")
    whole = store.get_range
    monkeypatch.setattr(
        store, "get_range", lambda key, at, most, etag: whole(key, at, min(most, 3), etag)
    )
    assert read_range(store, "a", start, length) == b"0123456789"[start : start + given]
