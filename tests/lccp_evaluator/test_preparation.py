"""Requested samples, and what their readers need from them."""

from pathlib import Path
from typing import Any

import made_records
import pytest
from measured import NIAH, NIAH_ALONE
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.manifest import FileRecord
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput, StoreRefused
from lccp.cost.architecture import Architecture
from lccp.cost.planning.evaluators import EvaluatorMemory
from lccp.model_config import read_model_config
from lccp.probes.probe import Contexts
from lccp.probes.routing import BANDS, RoutingSettings
from lccp.store.directory import file_record
from lccp.store.file import FileStore
from lccp.store.port import ObjectInfo
from lccp_evaluator.asked import Asked
from lccp_evaluator.model.execution import LEAST_STEP_TOKENS, Execution
from lccp_evaluator.model.memory import PLANNED
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject, ask, prepare
from lccp_evaluator.probes import HALVES
from lccp_evaluator.probes.measurement import TorchHalf
from lccp_evaluator.progress import Done
from lccp_evaluator.sampling.sources import digests

FROZEN = made_records.records().frozen
SETTINGS = {"niah": made_records.NIAH, "routing": RoutingSettings()} | ProbesSpec().asked()


def asked(*names: str) -> Asked:
    readers: list[TorchHalf] = [HALVES[name] for name in names]
    return Asked(FROZEN, readers, {name: SETTINGS[name] for name in names})


@pytest.mark.parametrize(
    ("names", "watches"), [(("niah",), False), (("niah", "retrieval_heads"), True)]
)
def test_heads_are_watched_where_a_reader_asks_for_them(
    names: tuple[str, ...], watches: bool
) -> None:
    assert asked(*names).watches_heads == watches


def test_heads_are_masked_at_the_checkpoints_that_are_named(models: Path, tmp_path: Path) -> None:
    more = {"headAblation": {"source": "Niah", "heads": 1, "checkpoints": [7]}}
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH} | more, "probes")

    def readers(tokens: int) -> list[str]:
        place = Place(FileStore(tmp_path), "", "samples/")
        contexts = Contexts(128, 300, 512)
        subject = Subject(models / "first", "f" * 64, probes, contexts, tokens)
        (found,) = ask(subject, place)
        return [half.name for half in found.readers]

    assert readers(7) == ["niah", "head_ablation"]
    assert readers(8) == ["niah"]


def test_a_refused_probe_leaves_nothing_of_others_behind(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**12))
    (tmp_path / "haystack.txt").write_text("The grass is green. The sky is blue. " * 400)
    niah = NIAH | {"haystack": {"path": str(tmp_path / "haystack.txt")}}
    (tmp_path / "questions.jsonl").write_text("{}\n", encoding="utf-8")
    more = {"targetPpl": {"path": str(tmp_path / "questions.jsonl")}}
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": niah} | more, "probes")
    place = Place(FileStore(tmp_path / "out"), "", "samples/")
    (tmp_path / "out").mkdir()

    with pytest.raises(InvalidInput, match=r"questions\.jsonl"):
        ask(Subject(models / "first", "f" * 64, probes, Contexts(128, 300, 512), 7), place)

    assert place.store.list("") == []


def test_all_refused_probes_are_named_at_once(tmp_path: Path) -> None:
    model = a_checkpoint(tmp_path / "model", kind="words")
    place = Place(FileStore(tmp_path), "", "samples/")
    needle = {"stem": "The password is", "key": "zyzzyva.", "question": "What is it?"}
    probes = ProbesSpec.parse({"niah": {"needles": [needle] * 2}}, "probes")

    with pytest.raises(InvalidInput) as refusal:
        ask(Subject(model, "f" * 64, probes, Contexts(128, 512, 512)), place)

    assert "evaluation.probes.niah.needles[0]" in str(refusal.value)
    assert "evaluation.probes.bio" in str(refusal.value)


def test_a_store_that_refuses_is_not_told_as_refused_probes(tmp_path: Path) -> None:
    class Refusing(FileStore):
        def list(self, prefix: str) -> list[ObjectInfo]:
            raise StoreRefused(f"{prefix}: access denied")

    place = Place(Refusing(tmp_path), "", "samples/")
    subject = Subject(tmp_path, "f" * 64, ProbesSpec(), Contexts(128, 512, 512))
    a_checkpoint(tmp_path, kind="words")

    with pytest.raises(StoreRefused):
        ask(subject, place)


@pytest.mark.parametrize(("asked", "used"), [(None, LEAST_STEP_TOKENS), (512, 512)])
def test_passes_fit_the_machines_memory_unless_their_size_is_asked(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int | None, used: int
) -> None:
    monkeypatch.setattr("lccp_evaluator.preparation.memory_bytes", lambda *_: 10**5)
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH}, "probes")
    contexts = Contexts(128, 300, 512)
    execution = Execution("cpu", step_tokens=asked)
    subject = Subject(models / "first", "", probes, contexts, execution=execution)
    with prepare(subject, ask(subject, Place(FileStore(tmp_path), "", "samples/"))) as prepared:
        pass

    assert prepared.plan.step_tokens == prepared.engine.step_tokens == used


def test_halved_passes_are_shared_by_as_many_models(models: Path, tmp_path: Path) -> None:
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH}, "probes")
    execution = Execution("cpu", step_tokens=512, processes=2)
    subject = Subject(models / "first", "", probes, Contexts(128, 300, 512), execution=execution)
    with prepare(subject, ask(subject, Place(FileStore(tmp_path), "", "samples/"))) as prepared:
        halved = prepared.halved()

    assert halved is not None
    assert (halved.models, halved.plan.step_tokens) == (2, 256)


def test_experts_are_asked_of_the_longest_prompts_alone() -> None:
    plain, routing = asked("niah"), asked("niah", "routing")

    assert plain.routed == set()
    longest = max(sample.length for sample in FROZEN.samples)
    assert {FROZEN.samples[n].length for n in routing.routed} == {longest}
    numbers = list(range(len(FROZEN.samples)))
    bands = [passage.bands for passage in routing.passages(numbers)]
    assert bands == [BANDS if n in routing.routed else 0 for n in numbers]


KEYS = {
    "niah": {"enabled": False},
    "bio": {"enabled": False},
    "retrievalHeads": {"enabled": False},
    "longPpl": {
        "texts": {"language": "English"},
        "documents": 2,
        "minGain": "0.001",
        "maxNll": "20",
    },
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two models with one tokenizer, and one with another."""
    folder = tmp_path_factory.mktemp("models")
    a_checkpoint(folder / "first", seed=1)
    a_checkpoint(folder / "second", seed=2)
    a_checkpoint(folder / "stranger", kind="pieces with BOS")
    return folder


def key_asked(
    models: Path,
    store: Path,
    name: str,
    chooses: bool = True,
    told: list[Done] | None = None,
    **more: Any,
) -> Asked:
    """The requested samples of long_ppl for the model `name`, with samples in `store`."""
    store.mkdir(exist_ok=True)
    probes = ProbesSpec.parse(KEYS | {"longPpl": {**KEYS["longPpl"], **more}}, "probes")
    subject = Subject(models / name, "f" * 64, probes, Contexts(128, 256, 512), base=models)
    told = [] if told is None else told
    (found,) = ask(subject, Place(FileStore(store), "", "samples/"), told.append, chooses)
    return found


def keys_of(one: Asked) -> list[tuple[int, ...] | None]:
    return [sample.keys for sample in one.frozen.samples]


@pytest.mark.slow
def test_the_first_checkpoint_chooses_keys_for_all(models: Path, tmp_path: Path) -> None:
    first = key_asked(models, tmp_path / "run", "first")
    second = key_asked(models, tmp_path / "run", "second")
    alone = key_asked(models, tmp_path / "other", "second")

    assert first.frozen.header.chosen_by == "the checkpoint at 0 tokens"
    assert second.frozen.digest == first.frozen.digest
    assert keys_of(first) != keys_of(alone)


@pytest.mark.slow
def test_a_model_that_is_named_chooses_instead(models: Path, tmp_path: Path) -> None:
    alone = key_asked(models, tmp_path / "alone", "second")
    named = key_asked(models, tmp_path / "named", "first", keyModel="second")

    assert keys_of(named) == keys_of(alone)
    assert named.frozen.header.chosen_by == "second"


def test_a_model_with_another_tokenizer_chooses_no_keys(models: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"stranger: has another tokenizer than the checkpoint"):
        key_asked(models, tmp_path / "run", "first", keyModel="stranger")


def test_nothing_is_chosen_where_the_cost_alone_is_asked(models: Path, tmp_path: Path) -> None:
    unchosen = key_asked(models, tmp_path / "run", "first", chooses=False)

    assert keys_of(unchosen) == [None, None]
    document, windows = unchosen.unchosen[0]
    assert [len(one.ids) for one in document] == [256]
    assert len(windows) > 1


@pytest.mark.slow
def test_the_choice_of_keys_shows_its_progress(models: Path, tmp_path: Path) -> None:
    told: list[Done] = []
    key_asked(models, tmp_path / "run", "first", told=told)
    shares = [done.share for done in told]

    assert shares == sorted(shares)
    assert len(set(shares)) > 2
    assert (told[-1].samples, told[-1].total, shares[-1]) == (2, 2, 1)
    told.clear()
    key_asked(models, tmp_path / "run", "second", told=told)
    assert told == []


@pytest.mark.long
def test_a_model_of_experts_is_shared_where_one_process_has_too_little_memory(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH}, "probes")
    execution = Execution("cpu", step_tokens=256, processes=2)
    subject = Subject(models / "first", "", probes, Contexts(128, 300, 512), execution=execution)
    found = ask(subject, Place(FileStore(tmp_path), "", "samples/"))
    longest = max(sample.length for one in found for sample in one.frozen.samples)
    counted = Architecture.from_config(read_model_config(models / "first", ""))
    room = EvaluatorMemory.of(counted, longest, 2, 4).total / PLANNED + 1
    monkeypatch.setattr("lccp_evaluator.spread.choosing.memory_bytes", lambda *_: room)

    with prepare(subject, found) as prepared:
        assert (prepared.plan.shards, prepared.models) == (2, 1)


def test_evaluations_read_a_file_once(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "haystack.txt"
    text.write_text("The river was wide that spring, and nobody crossed it. Nor did we. " * 400)
    read: list[Path] = []
    monkeypatch.setattr(digests, "SETTLED_NS", -(10**12))

    def noted(path: Path) -> FileRecord:
        read.append(path)
        return file_record(path)

    monkeypatch.setattr(digests, "file_record", noted)
    haystack = {"haystack": {"path": str(text), "format": "Text"}}
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH | haystack}, "probes")
    subject = Subject(models / "first", "f" * 64, probes, Contexts(128, 300, 512), 7)
    place = Place(FileStore(tmp_path / "out"), "", "samples/")
    (tmp_path / "out").mkdir()

    for _ in range(2):
        ask(subject, place)

    assert read == [text]
