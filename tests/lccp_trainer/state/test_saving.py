"""Checkpoints and states are saved once, and not where nothing resumes."""

import threading
from pathlib import Path
from typing import Any

import a_run
import pytest
import torch
from plain_engine import Bigrams, PlainEngine, alone
from safetensors.torch import load_file
from saved import BUDGET, KEYS, a_point, a_saver
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from lccp.api.objects.losses import HeldOutLoss
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import Heartbeat
from lccp.store.file import FileStore
from lccp.store.objects import read
from lccp_trainer.goodput import WallClock
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.parallel.pieces import ParameterPiece
from lccp_trainer.state import saving
from lccp_trainer.state.progress import StateProgress, from_json
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.saving import Saver, Snapshot


class Reported:
    """The heartbeat, and how often the history was flushed."""

    def __init__(self) -> None:
        self.beat: dict[str, Any] = {}
        self.flushes = 0

    def update(self, **changes: Any) -> None:
        self.beat |= changes

    def flush(self) -> None:
        self.flushes += 1


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def saved(saver: Saver, *tokens: int, with_checkpoint: bool = False) -> None:
    with alone():
        for number in tokens:
            saver.state(a_point(number), with_checkpoint)
        saver.uploader.finish()


def test_a_state_is_complete_and_told_with_the_time_it_took(
    store: FileStore, tmp_path: Path
) -> None:
    told = Reported()
    saver = a_saver(PlainEngine(Bigrams()), store, tmp_path, reporter=told)

    saved(saver, 100, 200, with_checkpoint=True)

    manifest = read(store, KEYS.state_manifest(200), Manifest)
    assert set(manifest.files) == {"rank-00000.safetensors", "progress.json"}
    assert (manifest.step, manifest.tokens_per_source) == (2, {"long": 200})
    progress = f"{KEYS.state(200, manifest.writer)}progress.json"
    assert from_json(store.get(progress)) == (a_point(200), StateProgress(0, BUDGET, True))
    assert (told.beat["states"], told.flushes) == ((100, 200), 2)
    assert told.beat["last_save_seconds"] >= 0
    assert list((tmp_path / "scratch").iterdir()) == []


def test_the_states_are_listed_once_for_each_that_is_saved(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, scan = list[str](), store.list
    monkeypatch.setattr(store, "list", lambda prefix: listed.append(prefix) or scan(prefix))

    saved(a_saver(PlainEngine(Bigrams()), store, tmp_path, reporter=Reported()), 100, 200)

    assert listed == [KEYS.states] * 2


def test_a_state_that_is_there_stays(store: FileStore, tmp_path: Path) -> None:
    saver = a_saver(PlainEngine(Bigrams()), store, tmp_path, states={100})

    saved(saver, 100, 200, 200)

    assert complete_tokens(store, KEYS.states) == [200]


def test_a_state_that_was_found_damaged_is_replaced(store: FileStore, tmp_path: Path) -> None:
    store.put(KEYS.state_manifest(100), b"damaged")
    saver = a_saver(PlainEngine(Bigrams()), store, tmp_path, states={100})
    saver.withdraw({100})

    saved(saver, 100)

    assert read(store, KEYS.state_manifest(100), Manifest).tokens == 100


def test_the_heartbeat_no_longer_counts_a_damaged_state_before_it_is_withdrawn(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trainer may die right after: then somebody else would seem to have deleted the state."""
    for tokens in (100, 200):
        store.put(KEYS.state_manifest(tokens), b"damaged")
    first = a_run.heartbeat().model_copy(update={"states": (100, 200)})
    store.put(KEYS.heartbeat(first.writer), first.to_json())
    reporter = Reporter(store, KEYS, first, WallClock(0.0))
    saver = a_saver(None, store, tmp_path, reporter=reporter, states={100, 200})
    told, delete = list[tuple[int, ...]](), store.delete

    def deleted(key: str) -> None:
        told.append(read(store, KEYS.heartbeat(first.writer), Heartbeat).states)
        delete(key)

    monkeypatch.setattr(store, "delete", deleted)
    saver.withdraw({200})
    reporter.finish()

    assert told == [(100,)]
    assert complete_tokens(store, KEYS.states) == [100]
    assert read(store, KEYS.heartbeat(first.writer), Heartbeat).states == (100,)


def test_no_state_is_saved_where_nothing_goes_on_from(store: FileStore, tmp_path: Path) -> None:
    saver = a_saver(PlainEngine(Bigrams()), store, tmp_path, last_state=200)

    saved(saver, 100, 200, 300)

    assert complete_tokens(store, KEYS.states) == [100]


def a_model() -> nn.Module:
    sizes = {"vocab_size": 16, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = AutoConfig.for_model("llama", num_attention_heads=2, **sizes)
    objective = nn.Module()
    objective.model = AutoModelForCausalLM.from_config(config)
    return objective


def test_a_checkpoint_is_a_model_that_transformers_loads(store: FileStore, tmp_path: Path) -> None:
    objective = a_model()
    saver = a_saver(PlainEngine(objective), store, tmp_path)
    (tmp_path / "source" / "merges.txt").write_text("a b")

    with alone():
        for _ in range(2):
            saver.checkpoint(a_point(100), None)
        saver.uploader.finish()

    manifest = read(store, KEYS.checkpoint_manifest(100), Manifest)
    assert set(manifest.files) >= {"config.json", "model.safetensors", "merges.txt"}
    folder = tmp_path / "store" / KEYS.checkpoint(100, manifest.writer)
    again = AutoModelForCausalLM.from_pretrained(folder)
    expected = objective.model.state_dict()
    assert all(torch.equal(w, expected[name]) for name, w in again.state_dict().items())


def test_held_out_documents_are_measured_once_for_a_checkpoint_and_stand_in_its_manifest(
    store: FileStore, tmp_path: Path
) -> None:
    now, told, asked = [0.0], Reported(), []

    def measure(tokens: int) -> HeldOutLoss:
        asked.append(tokens)
        now[0] += 5.0
        return a_run.held_out(tokens)

    clock = WallClock(0.0, lambda: now[0])
    parts = {"reporter": told, "checkpoints": {100}, "measure": measure, "clock": clock}
    saver = a_saver(PlainEngine(a_model()), store, tmp_path, **parts)

    with alone():
        for tokens in (100, 200, 200):
            saver.checkpoint(a_point(tokens), saver.measured(a_point(tokens)))
        saver.uploader.finish()

    assert asked == [200]
    manifest = read(store, KEYS.checkpoint_manifest(200), Manifest)
    assert manifest.held_out == told.beat["held_out"] == a_run.held_out(200)
    assert (clock.ledger().measuring, clock.ledger().saving) == (5.0, 0.0)


def piece(values: torch.Tensor) -> ParameterPiece:
    return ParameterPiece("a", 4, {"weight": values, "exp_avg": values * 2})


def test_what_is_trained_after_the_copy_is_not_in_it(tmp_path: Path) -> None:
    values, snapshot = torch.ones(3), Snapshot()
    parts = snapshot.take([piece(values)])
    values.fill_(7)
    snapshot.write(parts, tmp_path / "file")
    found = load_file(tmp_path / "file")
    assert found["weight/4/a"].tolist() == [1, 1, 1]
    assert found["exp_avg/4/a"].tolist() == [2, 2, 2]


def test_the_next_copy_waits_until_the_one_before_is_written(tmp_path: Path) -> None:
    snapshot, taken = Snapshot(), threading.Event()
    first = snapshot.take([piece(torch.ones(3))])

    def take_again() -> None:
        snapshot.take([piece(torch.zeros(3))])
        taken.set()

    thread = threading.Thread(target=take_again)
    thread.start()
    assert not taken.wait(0.1)
    snapshot.write(first, tmp_path / "file")
    assert taken.wait(10)
    thread.join()
    assert load_file(tmp_path / "file")["weight/4/a"].tolist() == [1, 1, 1]


def test_memory_is_used_again(tmp_path: Path) -> None:
    snapshot = Snapshot()
    addresses = []
    for size in (3, 2, 3):
        parts = snapshot.take([piece(torch.ones(size))])
        addresses.append(parts[0].values.data_ptr())
        snapshot.write(parts, tmp_path / "file")
    assert len(set(addresses)) == 1


def test_memory_is_taken_in_blocks_that_values_are_spread_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page-locked, one of another size would be rounded up to twice as much."""
    monkeypatch.setattr(saving, "BLOCK_ELEMENTS", 4)
    snapshot, values = Snapshot(), torch.arange(7.0)
    parts = snapshot.take([piece(values)])
    snapshot.write(parts, tmp_path / "file")

    taken = {part.values.untyped_storage().data_ptr(): part.values for part in parts}
    sizes = sorted(view.untyped_storage().nbytes() // 4 for view in taken.values())
    assert sizes == [2, 4, 4, 4]
    found = load_file(tmp_path / "file")
    assert {name: part.tolist() for name, part in found.items()} == {
        "weight/4/a": [0, 1, 2, 3],
        "weight/8/a": [4, 5, 6],
        "exp_avg/4/a": [0],
        "exp_avg/5/a": [2, 4, 6, 8],
        "exp_avg/9/a": [10, 12],
    }


def test_a_file_that_can_t_be_written_frees_the_memory(tmp_path: Path) -> None:
    snapshot = Snapshot()
    parts = snapshot.take([piece(torch.ones(3))])
    try:
        snapshot.write(parts, tmp_path / "no folder" / "file")
    except FileNotFoundError:
        snapshot.take([piece(torch.ones(3))])
    else:
        raise AssertionError("the file was written")
