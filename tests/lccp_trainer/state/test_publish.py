from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lccp.api.objects.manifest import Manifest
from lccp.store.directory import file_record
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.objects import read
from lccp_trainer.state import publish
from lccp_trainer.state.publish import Publisher, TrainedCounts, complete_tokens

KEYS = RunKeys("default", "run")


class Facts:
    """The part of torchrun's key-value store that is used, for ranks that act in turn."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def set(self, key: str, value: str) -> None:
        self._values[key] = value

    def get(self, key: str) -> bytes:
        return self._values[key].encode()

    def wait(self, keys: list[str], timeout: timedelta) -> None:
        assert set(keys) <= set(self._values)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def publishers(store: FileStore, writer: str = "a1-00000000", keep: int = 2) -> list[Publisher]:
    facts = Facts()
    return [
        Publisher(
            store, KEYS, writer, rank, 2, facts, (64, 128), keep_states=keep, keep_state_every=None
        )
        for rank in range(2)
    ]


def counts(tokens: int) -> TrainedCounts:
    return TrainedCounts(step=tokens // 10, tokens=tokens, tokens_per_source={"long": tokens})


def a_directory(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder


def publish_state(ranks: list[Publisher], tokens: int, folder: Path) -> None:
    for publisher in reversed(ranks):
        name = f"rank-{publisher.rank}"
        part = a_directory(folder / f"{tokens}-{publisher.writer}-{name}", name, f"{tokens}{name}")
        publisher.state(part, counts(tokens))


def test_a_state_holds_the_files_of_all_ranks(store: FileStore, tmp_path: Path) -> None:
    publish_state(publishers(store), 30, tmp_path)
    manifest = read(store, KEYS.state_manifest(30), Manifest)
    assert set(manifest.files) == {"rank-0", "rank-1"}
    assert (manifest.world_size, manifest.step, manifest.tokens_per_source) == (2, 3, {"long": 30})
    fetched = tmp_path / "fetched"
    store.get_file(f"{KEYS.state(30, manifest.writer)}rank-1", fetched)
    assert file_record(fetched) == manifest.files["rank-1"]


def test_versions_are_found_out_once(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(publish, "version", lambda name: asked.append(name) or "1")
    publish.versions.cache_clear()
    ranks = publishers(store)
    for tokens in (30, 60):
        publish_state(ranks, tokens, tmp_path)
    publish.versions.cache_clear()

    assert sorted(asked) == sorted(publish.LIBRARIES)


def test_a_state_of_which_a_part_is_missing_does_not_exist(
    store: FileStore, tmp_path: Path
) -> None:
    ranks = publishers(store)
    ranks[1].state(a_directory(tmp_path / "part", "rank-1", "x"), counts(30))
    assert store.list(KEYS.states)
    assert complete_tokens(store, KEYS.states) == []


def test_only_the_newest_states_are_kept_and_nothing_older(
    store: FileStore, tmp_path: Path
) -> None:
    ranks = publishers(store)
    ranks[1].state(a_directory(tmp_path / "part", "rank-1", "x"), counts(5))
    for tokens in (10, 20, 30, 40):
        publish_state(ranks, tokens, tmp_path)
    assert complete_tokens(store, KEYS.states) == [30, 40]
    kept = {key.key.removeprefix(KEYS.states)[:15] for key in store.list(KEYS.states)}
    assert kept == {f"{30:015d}", f"{40:015d}"}


def test_states_that_branches_begin_with_are_kept(store: FileStore, tmp_path: Path) -> None:
    ranks = [replace(p, keep_states_at=frozenset({20, 50})) for p in publishers(store, keep=1)]
    for tokens in (10, 20, 30, 40):
        publish_state(ranks, tokens, tmp_path)
    assert complete_tokens(store, KEYS.states) == [20, 40]


def test_the_first_manifest_of_a_checkpoint_stays(store: FileStore, tmp_path: Path) -> None:
    for writer in ("a1-00000000", "a2-00000000"):
        publisher, _ = publishers(store, writer)
        publisher.checkpoint(a_directory(tmp_path / writer, "model", writer), counts(20))
    assert read(store, KEYS.checkpoint_manifest(20), Manifest).writer == "a1-00000000"
    assert complete_tokens(store, KEYS.checkpoints) == [20]


def test_an_upload_that_is_over_says_that_nothing_hampers_it(
    store: FileStore, tmp_path: Path
) -> None:
    told: list[str | None] = []
    publisher = replace(publishers(store)[0], tell=told.append)
    publisher.checkpoint(a_directory(tmp_path / "a", "model", "a"), counts(20))
    assert set(told) == {None}


def test_a_damaged_state_is_withdrawn_and_replaced(store: FileStore, tmp_path: Path) -> None:
    publish_state(publishers(store), 30, tmp_path)
    ranks = publishers(store, "a2-00000000")
    ranks[1].withdraw({30})
    assert complete_tokens(store, KEYS.states) == [30]
    ranks[0].withdraw({30})
    assert complete_tokens(store, KEYS.states) == []
    publish_state(ranks, 30, tmp_path)
    assert read(store, KEYS.state_manifest(30), Manifest).writer == "a2-00000000"


def test_a_damaged_state_costs_no_intact_one_its_place(store: FileStore, tmp_path: Path) -> None:
    for tokens in (10, 30):
        publish_state(publishers(store), tokens, tmp_path)
    ranks = publishers(store, "a2-00000000", keep=1)
    ranks[0].withdraw({30})
    publish_state(ranks, 20, tmp_path)
    assert complete_tokens(store, KEYS.states) == [20]


def test_a_state_that_an_attempt_makes_again_waits_for_the_new_parts(
    store: FileStore, tmp_path: Path
) -> None:
    ranks = publishers(store)
    publish_state(ranks, 30, tmp_path)
    ranks[0].withdraw({30})
    with pytest.raises(AssertionError):
        ranks[0].state(a_directory(tmp_path / "again", "rank-0", "x"), counts(30))
    assert complete_tokens(store, KEYS.states) == []


def test_the_history_is_flushed_before_a_state_exists(store: FileStore, tmp_path: Path) -> None:
    first, second = publishers(store)
    second.state(a_directory(tmp_path / "b", "rank-1", "x"), counts(30))
    seen: list[list[int]] = []

    def flush() -> None:
        seen.append(complete_tokens(store, KEYS.states))

    part = a_directory(tmp_path / "a", "rank-0", "x")
    first.state(part, counts(30), before_completion=flush)
    assert seen == [[]]
    assert complete_tokens(store, KEYS.states) == [30]
