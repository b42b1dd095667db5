"""Calls of a store are measured, whatever their result."""

from pathlib import Path

import pytest
from operator_world import MemoryStore

from lccp.contract.errors import NotFound, StoreUnavailable
from lccp.store.port import ObjectInfo
from lccp_operator.kubernetes.instrumented_store import InstrumentedStore


class Silent(MemoryStore):
    def list(self, prefix: str) -> list[ObjectInfo]:
        raise StoreUnavailable("it does not answer")


class Measured:
    """A store, and the method and result of each call that was measured."""

    def __init__(self, store: MemoryStore) -> None:
        self.calls: list[tuple[str, str]] = []
        self.seconds: list[float] = []
        self.store = InstrumentedStore(store, self._note)

    def _note(self, method: str, result: str, seconds: float) -> None:
        self.calls.append((method, result))
        self.seconds.append(seconds)


def test_every_call_is_passed_on_and_measured_once(tmp_path: Path) -> None:
    measured = Measured(MemoryStore())
    store, path = measured.store, tmp_path / "file"

    etag = store.put_if_absent("a/b", b"one")
    store.put_if_match("a/b", b"two", etag)
    assert (store.get("a/b"), store.get_range("a/b", 1, 2)) == (b"two", b"wo")
    store.get_file("a/b", path)
    store.put_file("a/c", path)
    assert path.read_bytes() == store.get_entry("a/c").data == b"two"
    assert [info.key for info in store.list("a/")] == ["a/b", "a/c"]
    assert [info.key for info in store.scan("a/")] == ["a/b", "a/c"]
    assert store.level("").prefixes == ["a/"]
    assert store.stat("a/c") == store.list("a/c")[0]
    store.delete("a/b")
    assert store.stat("a/b") is None

    methods = [
        "put",
        "put",
        "get",
        "get",
        "get",
        "put",
        "get",
        "list",
        "list",
        "list",
        "stat",
        "list",
        "delete",
        "stat",
    ]
    assert measured.calls == [(method, "answered") for method in methods]
    assert all(seconds >= 0 for seconds in measured.seconds)


def test_a_store_that_does_not_answer_is_told_apart_from_one_that_refuses() -> None:
    measured = Measured(Silent())

    with pytest.raises(StoreUnavailable):
        measured.store.list("")
    with pytest.raises(NotFound):
        measured.store.get("none")

    assert measured.calls == [("list", "unavailable"), ("get", "answered")]
