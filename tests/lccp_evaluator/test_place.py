"""Where an evaluation is kept: samples are drawn once, and only read afterwards."""

from dataclasses import replace

import pytest
from sampled import frozen as frozen_samples
from tiny_checkpoints import a_tokenizer

from lccp.contract.errors import Conflict, Incompatible
from lccp.probes.niah import NiahSettings, resolved
from lccp.probes.probe import Contexts
from lccp.store.file import FileStore
from lccp_evaluator.place import Place
from lccp_evaluator.sampling.crossing import VERSION
from lccp_evaluator.sampling.tokenization import Tokenizer

CONTEXTS = Contexts(256, 512, 512)


def some(tmp_path, **changed):
    a_tokenizer("byte pairs").save_pretrained(tmp_path / "tokenizer")
    niah = NiahSettings(lengths=(384,), depths_percent=(0, 50), haystacks=3, **changed)
    tokenizer = Tokenizer(tmp_path / "tokenizer")
    return frozen_samples("niah", resolved(niah, CONTEXTS), tokenizer)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "store").mkdir()
    return Place(FileStore(tmp_path / "store"), "", "samples/")


def kept(place, frozen):
    return place.frozen("niah", VERSION, frozen.header.settings, "digest")


def test_frozen_samples_are_read_ever_after(tmp_path, place):
    frozen = some(tmp_path)
    assert kept(place, frozen) is None

    assert place.freeze(frozen) is frozen
    assert kept(place, frozen).digest == frozen.digest
    assert place.store.stat(f"samples/niah/{frozen.digest}.jsonl.gz")


def test_keys_of_the_evaluator_that_was_first_count(tmp_path, place):
    frozen = some(tmp_path)
    first = frozen.marked([(0,)] * len(frozen.samples), "the first")
    second = frozen.marked([(1,)] * len(frozen.samples), "the second")
    place.freeze(first)

    found = place.freeze(second)
    assert found.digest == first.digest != second.digest
    assert found.header.chosen_by == "the first"
    assert [info.key for info in place.store.list("samples/niah/")] == [
        f"samples/niah/{frozen.digest}.jsonl.gz"
    ]


def names(place):
    return [info.key for info in place.store.list("samples/niah/")]


def test_of_two_that_draw_at_once_with_other_settings_one_is_refused(tmp_path, place):
    first, second = some(tmp_path), some(tmp_path, needles_per_haystack=2)
    place.freeze(first)
    assert names(place) == [f"samples/niah/{first.digest}.jsonl.gz"]

    with pytest.raises(
        Incompatible, match=r"other settings of evaluation.probes.niah \(needlesPer"
    ):
        place.freeze(second)
    assert names(place) == [f"samples/niah/{first.digest}.jsonl.gz"]
    assert kept(place, first).digest == first.digest


def test_samples_that_lie_there_and_are_used_count(tmp_path, place):
    """The other evaluator has stored its own, and is about to say that they count."""
    first, second = some(tmp_path), some(tmp_path, needles_per_haystack=2)
    place.store.put(f"samples/niah/{first.digest}.jsonl.gz", first.to_bytes())
    assert kept(place, first).digest == first.digest

    with pytest.raises(Incompatible, match="other settings"):
        place.freeze(second)
    assert place.header("niah") == first.header


def test_samples_that_were_drawn_from_other_texts_meanwhile_are_refused(tmp_path, place):
    first = some(tmp_path)
    place.freeze(first)
    header = first.header.model_copy(update={"notes": ("from an edited file",)})

    with pytest.raises(Incompatible, match=r"was drawn meanwhile by another evaluation: repeat"):
        place.freeze(replace(first, header=header))


def test_samples_that_somebody_deleted_are_drawn_anew(tmp_path, place):
    first, second = some(tmp_path), some(tmp_path, needles_per_haystack=2)
    place.freeze(first)
    place.store.delete(names(place)[0])
    assert kept(place, first) is None

    place.freeze(second)
    assert kept(place, second).digest == second.digest
    place.freeze(second)
    with pytest.raises(Incompatible, match="other settings"):
        kept(place, first)


def another_was_quicker(place, monkeypatch, times):
    """The next `times` replacements of a choice lose to another evaluation's equal one."""
    replace_choice, left = place.store.put_if_match, iter(range(times))

    def put_if_match(key, data, etag):
        if next(left, None) is None:
            return replace_choice(key, data, etag)
        place.store.put(key, place.store.get(key) + b"\n")
        raise Conflict(f"{key}: its ETag is another")

    monkeypatch.setattr(place.store, "put_if_match", put_if_match)


def test_samples_are_chosen_again_where_another_evaluation_changed_the_choice(
    tmp_path, place, monkeypatch
):
    first, second = some(tmp_path), some(tmp_path, needles_per_haystack=2)
    place.freeze(first)
    place.store.delete(names(place)[0])
    another_was_quicker(place, monkeypatch, times=2)

    place.freeze(second)
    assert kept(place, second).digest == second.digest


def test_a_choice_that_never_settles_ends_in_a_sentence(tmp_path, place, monkeypatch):
    first, second = some(tmp_path), some(tmp_path, needles_per_haystack=2)
    place.freeze(first)
    place.store.delete(names(place)[0])
    another_was_quicker(place, monkeypatch, times=100)

    with pytest.raises(Incompatible, match=r"niah\.json: other evaluations keep changing which"):
        place.freeze(second)


MISFITS = {
    "another tokenizer": ({}, "other", r"was drawn with another tokenizer than the checkpoint's"),
    "other settings": ({"seed": 3}, "digest", r"other settings of evaluation.probes.niah \(seed\)"),
}


@pytest.mark.parametrize(("changed", "digest", "why"), MISFITS.values(), ids=MISFITS.keys())
def test_samples_of_something_else_are_refused(tmp_path, place, changed, digest, why):
    frozen = some(tmp_path)
    settings = frozen.header.settings
    place.freeze(frozen)

    with pytest.raises(Incompatible, match=why):
        place.frozen("niah", VERSION, settings | changed, digest)


def test_samples_that_were_changed_are_refused(tmp_path, place):
    frozen = some(tmp_path)
    place.store.put(f"samples/niah/{'0' * 64}.jsonl.gz", frozen.to_bytes())

    with pytest.raises(Incompatible, match=r"is not what its name says"):
        kept(place, frozen)
