"""Where a run resumes: a state is restored as it was, and a damaged one is passed over."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from plain_engine import Bigrams, PlainEngine, alone
from saved import BUDGET, KEYS, a_point, a_saver

from lccp.contract.errors import Incompatible, StoreRefused
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_trainer.parallel.fragments import held, optimizer_steps
from lccp_trainer.parallel.process_group import Shared
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.resume import Resume, Resumed, Rewind
from lccp_trainer.state.saving import Saver

STATES = (100, 200)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """With states that were saved after one and two steps."""
    store = FileStore(tmp_path / "store")
    engine = PlainEngine(Bigrams())
    saver = a_saver(engine, store, tmp_path)
    with alone():
        for number, tokens in enumerate(STATES, 1):
            engine.backward(engine.module.model.logits.square().sum() * number)
            engine.step()
            saver.state(a_point(tokens), with_checkpoint=False)
        saver.uploader.finish()
    return store


def resumed(
    store: FileStore, candidates: Sequence[int] = STATES
) -> tuple[PlainEngine, Resumed | None, set[int]]:
    engine = PlainEngine(Bigrams())
    with alone():
        resume = Resume(store, KEYS, engine, 0, torch.device("cpu"))
        return engine, *resume.newest(candidates)


def test_weights_moments_and_steps_come_back_as_they_were(store: FileStore) -> None:
    engine, found, damaged = resumed(store)
    again = PlainEngine(Bigrams())
    for number in (1, 2):
        again.backward(again.module.model.logits.square().sum() * number)
        again.step()

    assert found is not None
    assert (found.point, damaged) == (a_point(200), set())
    assert (found.told.optimizer_steps, found.told.budget) == (2, BUDGET)
    for one, other in zip(held(engine), held(again), strict=True):
        for kind, values in one.values.items():
            assert torch.equal(values, other.values[kind]), (one.parameter, kind)
    assert optimizer_steps(engine) == optimizer_steps(again)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["progress.json", "rank-00000.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", [flipped, None], ids=["changed", "gone"])
def test_a_damaged_state_is_passed_over_for_the_one_before(
    store: FileStore, name: str, damage: Callable[[bytes], bytes] | None
) -> None:
    (key,) = [i.key for i in store.list(KEYS.states) if "200" in i.key and i.key.endswith(name)]
    store.put(key, damage(store.get(key))) if damage else store.delete(key)

    _, found, damaged = resumed(store)

    assert found is not None
    assert (found.point, damaged) == (a_point(100), {200})


@pytest.mark.parametrize("name", ["progress.json", "rank-00000.safetensors", "manifest.json"])
def test_one_bad_answer_of_the_store_is_no_damage(
    store: FileStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, bad = store.get_entry, [name]

    def answered(key: str, found: bytes) -> bytes:
        return found[: len(found) // 2] if bad and key.endswith(name) and bad.pop() else found

    def get(key: str) -> bytes:
        return answered(key, read(key).data)

    def get_range(key: str, start: int, length: int, _: None) -> bytes:
        whole = read(key).data[start : start + length]
        return whole if length == len(answered(key, whole)) else flipped(whole)

    monkeypatch.setattr(store, "get", get)
    monkeypatch.setattr(store, "get_range", get_range)
    _, found, damaged = resumed(store)

    assert found is not None
    assert (found.point, damaged, bad) == (a_point(200), set(), [])


def test_without_a_state_nothing_changes(store: FileStore) -> None:
    engine, found, damaged = resumed(store, [300])

    assert (found, damaged) == (None, {300})
    assert torch.equal(engine.module.model.logits, Bigrams().model.logits)


def test_a_state_of_another_version_is_refused(store: FileStore) -> None:
    store.put(KEYS.state_manifest(200), b'{"schemaVersion": 99}')

    with pytest.raises(Incompatible, match="schema version 99"):
        resumed(store)


@dataclass
class Facts:
    """Torchrun's store, of one process."""

    values: dict[str, str] = field(default_factory=dict)

    def set(self, name: str, value: str) -> None:
        assert name not in self.values
        self.values[name] = value

    def get(self, name: str) -> str:
        return self.values[name]


@dataclass
class Resuming:
    """Takes whatever state is the newest."""

    store: FileStore
    keys: RunKeys
    asked: list[list[int]] = field(default_factory=list)

    def newest(self, candidates: Iterable[int]) -> tuple[Any, set[int]]:
        self.asked.append(sorted(candidates))
        return (SimpleNamespace(point=max(candidates)) if candidates else None), set()


def test_a_store_that_refuses_makes_no_state_look_damaged(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(key: str) -> bytes:
        raise StoreRefused("store s3://lccp: refuses these credentials (AccessDenied)")

    monkeypatch.setattr(store, "get", refuse)

    with pytest.raises(StoreRefused):
        resumed(store)


def test_every_rewind_asks_anew_which_states_are_complete(tmp_path: Path) -> None:
    resume = Resuming(FileStore(tmp_path), RunKeys("default", "tiny"))
    waited: list[bool] = []
    uploader = SimpleNamespace(wait=lambda: waited.append(True))
    saver = SimpleNamespace(uploader=uploader, withdraw=lambda damaged: None, states=set())
    rewind = Rewind(resume, saver, Shared(0, Facts()))  # type: ignore[arg-type]

    assert rewind() is None
    resume.store.put(f"{resume.keys.states}{4096:015d}/manifest.json", b"{}")
    assert rewind() == 4096
    assert (resume.asked, waited) == ([[], [4096]], [True, True])


def damaged(store: FileStore, tokens: int) -> None:
    (key,) = [i.key for i in store.list(KEYS.states) if f"{tokens}/a" in i.key and "rank" in i.key]
    store.put(key, flipped(store.get(key)))


def rewound(store: FileStore, folder: Path) -> tuple[Saver, Point | None]:
    """The saver after a rewind among the states of `store`, and its point."""
    engine = PlainEngine(Bigrams())
    saver = a_saver(engine, store, folder, states={*STATES})
    with alone():
        resume = Resume(store, KEYS, engine, 0, torch.device("cpu"))
        return saver, Rewind(resume, saver, Shared(0, Facts()))()


def test_a_rewind_over_a_damaged_state_makes_it_anew(store: FileStore, tmp_path: Path) -> None:
    damaged(store, 200)
    saver, point = rewound(store, tmp_path)
    assert (point, saver.states) == (a_point(100), {100})
    assert complete_tokens(store, KEYS.states) == [100]

    with alone():
        saver.state(a_point(200), with_checkpoint=False)
        saver.uploader.finish()
    _, found, passed_over = resumed(store)
    assert found is not None
    assert (found.point, passed_over) == (a_point(200), set())


def test_a_rewind_that_finds_no_intact_state_leaves_them_all(
    store: FileStore, tmp_path: Path
) -> None:
    for tokens in STATES:
        damaged(store, tokens)
    saver, point = rewound(store, tmp_path)
    assert (point, saver.states) == (None, {*STATES})
    assert complete_tokens(store, KEYS.states) == [*STATES]


def test_a_rewind_does_not_train_again_what_was_saved_and_is_gone(
    store: FileStore, tmp_path: Path
) -> None:
    store.delete(KEYS.state_manifest(200))
    with pytest.raises(StoreRefused, match=r"is of 100 tokens, where it had one of 200: nothing"):
        rewound(store, tmp_path)
