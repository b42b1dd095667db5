"""The objects of all runs of a store, whatever the order of its listing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lccp.facts.stored_runs import StoredRuns
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo

KEYS = ["lab/one/a", "lab/one/b/c", "lab/one-more/a", "other/one/a", "stray"]
RUNS = {
    RunKeys("lab", "one"): {"lab/one/a", "lab/one/b/c"},
    RunKeys("lab", "one-more"): {"lab/one-more/a"},
    RunKeys("other", "one"): {"other/one/a"},
}


class Ordered(FileStore):
    """It lists by key, or by the ends of the keys, and counts how often."""

    by_end = False
    scans = 0

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        self.scans += 1
        step = -1 if self.by_end else 1
        infos = (self.stat(key) for key in sorted(KEYS, key=lambda key: key[::step]))
        return (info for info in infos if info is not None)


@pytest.fixture
def store(tmp_path: Path) -> Ordered:
    store = Ordered(tmp_path)
    for key in KEYS:
        store.put(key, b"")
    return store


@pytest.mark.parametrize("by_end", [False, True])
def test_each_run_is_given_whole_in_the_end(store: Ordered, by_end: bool) -> None:
    store.by_end = by_end
    runs = StoredRuns(store)
    for _ in range(2):
        found = {keys: {info.key for info in infos} for keys, infos in runs.listed()}
        assert found == RUNS


def test_a_store_that_lists_by_key_is_listed_once(store: Ordered) -> None:
    list(StoredRuns(store).listed())
    assert store.scans == 1
