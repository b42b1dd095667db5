"""What every store does: the same tests on a folder and on a real S3 server."""

import hashlib
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest

from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp.store.port import Entry, Store

RACERS = 16


def raced(work: Callable[[int], object]) -> list[object]:
    """What `work` returned, or the Conflict it raised, for racers that start together."""
    barrier = threading.Barrier(RACERS)

    def run(racer: int) -> object:
        barrier.wait(30)
        try:
            return work(racer)
        except Conflict as conflict:
            return conflict

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def test_what_was_put_is_got(store: Store) -> None:
    store.put("ns/run/a.json", b"first")
    store.put("ns/run/a.json", b"second")
    assert store.get("ns/run/a.json") == b"second"


@pytest.mark.parametrize("data", [b"", b"\x00\xff\r\n", bytes(range(256)) * 5000])
def test_bytes_come_back_as_they_were(store: Store, data: bytes) -> None:
    store.put("a", data)
    assert store.get("a") == data


@pytest.mark.slow
def test_a_value_of_several_parts_comes_back_as_it_was(store: Store) -> None:
    data = random.Random(1).randbytes(33 << 20)
    store.put("large.bin", data)
    assert store.get("large.bin") == data
    assert store.stat("large.bin").size == len(data)


def test_a_range_is_cut_where_the_object_ends(store: Store) -> None:
    store.put("a", b"0123456789")
    assert store.get_range("a", 0, 3) == b"012"
    assert store.get_range("a", 4, 2) == b"45"
    assert store.get_range("a", 8, 100) == b"89"
    assert store.get_range("a", 10, 1) == store.get_range("a", 11, 1) == b""
    with pytest.raises(NotFound):
        store.get_range("b", 0, 1)


def test_a_range_of_another_version_is_a_conflict(store: Store) -> None:
    etag = store.put("a", b"0123456789")
    assert store.get_range("a", 4, 2, etag) == b"45"
    store.put("a", b"012345678-")
    with pytest.raises(Conflict, match=r"a was changed by another writer"):
        store.get_range("a", 4, 2, etag)


@pytest.mark.parametrize("key", ["a b", "ä/ö", "a+b", "a%20b", "a=b&c?d#e", "~x/(y)"])
def test_names_may_hold_what_file_names_hold(store: Store, key: str) -> None:
    store.put(key, b"1")
    assert store.put_if_match(key, b"2", store.get_entry(key).etag)
    assert store.get(key) == b"2"
    assert [info.key for info in store.list("")] == [key]


def test_an_object_that_is_not_there_is_not_found(store: Store) -> None:
    store.put("ns/run/x", b"1")
    for key in ("ns/none", "ns/run", "ns", "ns/run/x/y"):
        with pytest.raises(NotFound, match=key):
            store.get(key)
        assert store.stat(key) is None


def test_a_file_that_is_not_there_leaves_nothing(store: Store, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    with pytest.raises(NotFound):
        store.get_file("none", local / "none")
    assert list(local.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (40 << 20) + 3])
def test_files_go_and_come_whole(store: Store, tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)
    (tmp_path / "there").write_bytes(data)
    store.put_file("ns/file", tmp_path / "there")
    store.get_file("ns/file", tmp_path / "deep" / "back")
    assert (tmp_path / "deep" / "back").read_bytes() == data


def test_a_local_file_that_cannot_be_read_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none.bin: cannot be read"):
        store.put_file("a", tmp_path / "none.bin")
    assert store.list("") == []


def test_a_local_file_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    store.put("a", b"1")
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"file/below: cannot be written"):
        store.get_file("a", tmp_path / "file" / "below")


def test_stat_and_list_and_entry_tell_the_same(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    store.put("ns/run/a", b"12345")
    info = store.stat("ns/run/a")
    assert store.list("ns/") == [info]
    assert info.size == 5
    assert info.etag == store.get_entry("ns/run/a").etag
    assert before < info.modified < datetime.now(UTC) + timedelta(seconds=5)


def test_a_level_shows_what_lies_right_below(store: Store) -> None:
    for key in ("ns/run/journal.json", "ns/run/a/b/c", "ns/run/a/d", "ns/running/x", "ns/e"):
        store.put(key, b"1")
    level = store.level("ns/run/")
    assert level.objects == [store.stat("ns/run/journal.json")]
    assert level.prefixes == ["ns/run/a/"]


def test_a_level_of_nothing_is_empty(store: Store) -> None:
    store.put("ns/other/x", b"1")
    level = store.level("ns/run/")
    assert (level.objects, level.prefixes) == ([], [])


def test_the_level_of_the_root_shows_the_first_names(store: Store) -> None:
    for key in ("ns/run/a", "other/b", "e"):
        store.put(key, b"1")
    level = store.level("")
    assert level.objects == [store.stat("e")]
    assert sorted(level.prefixes) == ["ns/", "other/"]


def test_put_replaces_and_tells_the_etag(store: Store) -> None:
    for data in (b"first", b"second"):
        etag = store.put("run.json", data)
        assert store.get_entry("run.json") == Entry(data, etag)
        assert [info.etag for info in store.list("run.json")] == [etag]


def test_put_if_absent_never_replaces(store: Store) -> None:
    etag = store.put_if_absent("run.json", b"mine")
    assert etag == store.get_entry("run.json").etag
    with pytest.raises(Conflict, match=r"run\.json"):
        store.put_if_absent("run.json", b"yours")
    assert store.get("run.json") == b"mine"


def test_put_if_absent_has_one_winner(store: Store) -> None:
    def claim(racer: int) -> int:
        store.put_if_absent("ns/manifest.json", b"%d" % racer * 1000)
        return racer

    winners = [result for result in raced(claim) if isinstance(result, int)]
    assert len(winners) == 1
    assert store.get("ns/manifest.json") == b"%d" % winners[0] * 1000


def test_put_if_match_replaces_only_what_was_read(store: Store) -> None:
    store.put("journal.json", b"1")
    read = store.get_entry("journal.json").etag
    second = store.put_if_match("journal.json", b"2", read)
    with pytest.raises(Conflict, match=r"journal\.json"):
        store.put_if_match("journal.json", b"3", read)
    assert store.get_entry("journal.json").etag == second
    store.put_if_match("journal.json", b"4", second)
    assert store.get("journal.json") == b"4"


def test_put_if_match_does_not_create(store: Store) -> None:
    store.put("ns/other", b"1")
    etag = store.get_entry("ns/other").etag
    with pytest.raises(Conflict):
        store.put_if_match("ns/none", b"1", etag)
    assert store.stat("ns/none") is None


def test_racing_updates_lose_none(store: Store) -> None:
    store.put("counter", b"0")

    def count(_: int) -> None:
        while True:
            entry = store.get_entry("counter")
            try:
                store.put_if_match("counter", b"%d" % (int(entry.data) + 1), entry.etag)
                return
            except Conflict:
                continue

    raced(count)
    assert store.get("counter") == b"%d" % RACERS


def test_list_takes_prefixes_as_they_are(store: Store) -> None:
    keys = ["ns/run/a", "ns/run/b/c", "ns/run2/a", "ns2/run/a", "top"]
    for key in reversed(keys):
        store.put(key, b"")
    listed = {
        prefix: [info.key for info in store.list(prefix)]
        for prefix in ("", "ns/", "ns/run", "ns/run/", "ns/run/b/c", "t", "none/", "ns/run/a/")
    }
    assert listed == {
        "": keys,
        "ns/": keys[:3],
        "ns/run": keys[:3],
        "ns/run/": keys[:2],
        "ns/run/b/c": ["ns/run/b/c"],
        "t": ["top"],
        "none/": [],
        "ns/run/a/": [],
    }


def test_list_is_sorted_by_whole_keys(store: Store) -> None:
    keys = sorted(["a/b", "a-b", "a.b", "a/a", "ab", "B", "a/b-c", "a/b.c/d"])
    for key in keys:
        store.put(key, b"")
    assert [info.key for info in store.list("")] == keys


def test_a_scan_finds_what_a_list_holds(store: Store) -> None:
    for key in ("ns/run/a", "ns/run/b/c", "ns/run-2/a", "ns/run2/a", "top"):
        store.put(key, b"x")
    for prefix in ("", "ns/run", "ns/run/", "none/"):
        assert sorted(store.scan(prefix), key=lambda info: info.key) == store.list(prefix)


def test_a_scan_finds_a_folder_in_one_piece(store: Store) -> None:
    for name in ("a", "a-b", "a.b", "ab"):
        store.put(f"ns/{name}/x", b"")
        store.put(f"ns/{name}/y/z", b"")
    folders = [info.key.split("/")[1] for info in store.scan("ns/")]
    assert [folder for folder, _ in groupby(folders)] == list(dict.fromkeys(folders))


@pytest.mark.slow
def test_list_goes_on_beyond_a_thousand(store: Store) -> None:
    keys = [f"many/{index:04d}" for index in range(1050)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: store.put(key, b"x"), keys))
    assert [info.key for info in store.list("many/")] == keys


def test_delete_is_done_once_and_for_all(store: Store) -> None:
    store.put("ns/a", b"1")
    store.put("ns/b", b"1")
    store.delete("ns/a")
    store.delete("ns/a")
    store.delete("never/was")
    store.delete("ns")
    assert [info.key for info in store.list("")] == ["ns/b"]
    assert store.put_if_absent("ns/a", b"again")


@pytest.mark.slow
def test_a_reader_never_sees_a_part(store: Store, tmp_path: Path) -> None:
    size = 4 << 20
    values = {hashlib.sha256(bytes([n]) * size).digest(): n for n in range(4)}
    store.put("value", bytes([0]) * size)
    done = threading.Event()

    def write() -> None:
        for n in range(12):
            store.put("value", bytes([n % 4]) * size)
        done.set()

    def read() -> set[int]:
        seen = set()
        while not done.is_set():
            seen.add(values[hashlib.sha256(store.get("value")).digest()])
            assert {info.size for info in store.list("")} == {size}
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        pool.submit(write).result()
        assert all(reader.result() for reader in readers)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\nb"])
def test_a_key_that_names_no_object_is_refused(store: Store, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for use in (
        store.get,
        store.stat,
        store.delete,
        lambda key: store.put(key, b""),
        lambda key: store.put_if_absent(key, b""),
        lambda key: store.put_if_match(key, b"", "etag"),
        lambda key: store.put_file(key, tmp_path / "file"),
        lambda key: store.get_file(key, tmp_path / "other"),
    ):
        with pytest.raises(InvalidInput, match="key"):
            use(key)
