"""The definitions of the probes, on records made by hand."""

import math

import numpy as np
import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp.probes.registry import PROBES
from lccp.probes.retrieval_heads import RetrievalHeadsSettings
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.probes import HALVES, by_source, niah, retrieval_heads
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.samples import FrozenSamples, Header, Sample

NEEDLES = (np.array((7, 8, 7, 9)), np.array((5, 6)))
KEY_STARTS = (2, 1)
LENGTHS, DEPTHS, HAYSTACKS = (100, 200), (0, 50), 3
SPEC = {"lengths": list(LENGTHS), "depthsPercent": list(DEPTHS), "haystacks": HAYSTACKS}


def a_sample(length, depth, haystack, needle):
    size = len(NEEDLES[needle])
    return Sample(
        slices=((0, 0, 10), (1 + needle, 0, size), (0, 0, length - 10 - size)),
        needle=(10, 10 + size),
        answer=(length - size, length),
        key_start=KEY_STARTS[needle],
        labels={
            "depth_percent": depth,
            "achieved_depth_percent": depth + haystack / 10,
            "haystack": haystack,
            "needle": needle,
        },
    )


def nll(sample):
    """Differs by everything that samples differ by."""
    labels = sample.labels
    return (
        0.1 + sample.length / 1_000 + labels["depth_percent"] / 500 + 0.3 ** labels["haystack"] / 10
    )


def a_reading(sample, copied=None):
    size = len(NEEDLES[sample.labels["needle"]])
    is_arg_max = np.ones(size, dtype=bool)
    is_arg_max[0] = sample.labels["haystack"] != 0  # misses the stem
    is_arg_max[-1] = sample.labels["haystack"] != 1  # misses the key
    token_nll = np.full(size, nll(sample), dtype=np.float64)
    token_nll += np.linspace(-0.05, 0.05, size)
    nothing = np.full((2, 2, size), -1, dtype=np.int16)
    return Reading(token_nll, is_arg_max, nothing if copied is None else copied(sample))


def records(copied=None, needles=2):
    samples = tuple(
        a_sample(length, depth, haystack, needle)
        for length in LENGTHS
        for depth in DEPTHS
        for haystack in range(HAYSTACKS)
        for needle in range(needles)
    )
    header = Header(
        probe="niah", version=1, settings={"seed": 0}, tokenizer_digest="d", vocabulary=10
    )
    frozen = FrozenSamples(header, (np.zeros(200), *NEEDLES), samples)
    return Records(frozen, samples, [a_reading(sample, copied) for sample in samples])


NIAH = NiahSettings.parse(SPEC, "niah")


def contexts(source):
    return Contexts(source, 200)


def heads(given, **settings):
    asked = RetrievalHeadsSettings.parse(settings, "heads")
    return retrieval_heads.measure(given, asked, contexts(128))


def signals(measurement):
    return {signal.name: signal for signal in measurement.signals}


def test_a_cell_is_the_exponential_of_its_mean_nll():
    given = records()
    details = niah.measure(given, NIAH, contexts(128)).details
    own = [nll(s) for s in given.samples if (s.length, s.labels["depth_percent"]) == (100, 50)]

    assert details["lengths"].tolist() == [100, 200]
    assert details["depths_percent"].tolist() == [0, 50]
    assert details["samples"][1, 0] == len(own) == 6
    assert details["nll"][1, 0] == pytest.approx(np.mean(own))
    assert details["ppl"][1, 0] == pytest.approx(math.exp(np.mean(own)))
    assert details["mean_ppl"][1, 0] == pytest.approx(np.mean(np.exp(own)))
    assert details["mean_ppl"][1, 0] > details["ppl"][1, 0]
    assert details["achieved_depth_percent"][1, 0] == pytest.approx(50.1)


def test_the_score_asks_for_the_key_and_exactness_for_the_whole_answer():
    details = niah.measure(records(), NIAH, contexts(128)).details

    assert details["score"][0, 0] == pytest.approx(2 / 3)  # haystack 1 misses the key
    assert details["exact"][0, 0] == pytest.approx(1 / 3)  # haystack 0 misses the stem as well


def test_bands_are_the_lengths_beyond_and_within_the_source_context():
    given = records()
    found = signals(niah.measure(given, NIAH, contexts(100)))
    beyond = [s for s in given.samples if s.length == 200]
    ppl, score = found["niah_ppl"], found["niah_score"]

    assert (ppl.n, found["niah_ppl_guard"].n) == (12, 12)
    assert ppl.value == pytest.approx(math.exp(np.mean([nll(s) for s in beyond])))
    by_haystack = [np.mean([nll(s) for s in beyond if s.labels["haystack"] == h]) for h in range(3)]
    by_needle = [np.mean([nll(s) for s in beyond if s.labels["needle"] == n]) for n in range(2)]
    assert np.log(ppl.by_cluster["haystack"]) == pytest.approx(by_haystack)
    assert np.log(ppl.by_cluster["needle"]) == pytest.approx(by_needle)
    assert score.by_cluster["haystack"] == (1.0, 0.0, 1.0)
    assert score.by_cluster["needle"] == pytest.approx((2 / 3, 2 / 3))


def test_a_band_without_lengths_is_absent():
    within = {signal.band for signal in niah.measure(records(), NIAH, contexts(200)).signals}
    beyond = {signal.band for signal in niah.measure(records(), NIAH, contexts(50)).signals}
    assert (within, beyond) == ({"guard"}, {"extension"})


def test_depths_are_averaged_over_the_lengths_beyond_the_source_context_alone():
    given = records()
    details = niah.measure(given, NIAH, contexts(100)).details
    deep = [nll(s) for s in given.samples if (s.length, s.labels["depth_percent"]) == (200, 50)]

    assert details["ppl_by_depth"][1] == pytest.approx(math.exp(np.mean(deep)))
    assert "ppl_by_depth" not in niah.measure(given, NIAH, contexts(200)).details


def test_a_value_that_is_no_finite_number_is_refused_by_its_name():
    given = records()
    given.readings[0].nll[0] = np.nan

    with pytest.raises(InvalidInput, match="NIAH-PPL, guard band is not a finite number"):
        niah.measure(given, NIAH, contexts(100))


def test_the_arrays_hold_every_token_of_every_sample():
    given = records()
    arrays = niah.measure(given, NIAH, contexts(128)).samples
    offsets = arrays["token_offsets"]

    for i, (sample, reading) in enumerate(zip(given.samples, given.readings, strict=True)):
        part = slice(offsets[i], offsets[i + 1])
        np.testing.assert_array_equal(arrays["token_nll"][part], reading.nll)
        np.testing.assert_array_equal(arrays["token_is_arg_max"][part], reading.is_arg_max)
        assert arrays["nll"][i] == pytest.approx(nll(sample))
        assert {name: arrays[name][i] for name in sample.labels} == sample.labels


# Copied places in the needle 7 8 7 9, whose key is 7 9, for a head that copies …
COUNTED = {
    "everything": ([0, 1, 2, 3], {"TokenSet": 1.0, "PositionRecall": 1.0, "WuCount": 1.0}),
    "nothing": ([-1, -1, -1, -1], {"TokenSet": 0.0, "PositionRecall": 0.0, "WuCount": 0.0}),
    "one of two equals": (
        [-1, -1, 2, -1],
        {"TokenSet": 1 / 3, "PositionRecall": 1 / 4, "WuCount": 0.5},
    ),
    "the later for the earlier": (
        [2, -1, 2, 3],
        {"TokenSet": 2 / 3, "PositionRecall": 3 / 4, "WuCount": 1.5},
    ),
    "the stem alone": ([0, 1, 0, -1], {"TokenSet": 2 / 3, "PositionRecall": 3 / 4, "WuCount": 0.0}),
}


@pytest.mark.parametrize(("copied", "expected"), COUNTED.values(), ids=COUNTED.keys())
def test_copies_are_counted_as_each_way_says(copied, expected):
    heads = np.array(copied, dtype=np.int16)[None, None]
    ways = {
        "TokenSet": retrieval_heads.token_set,
        "PositionRecall": retrieval_heads.position_recall,
        "WuCount": retrieval_heads.wu_count,
    }

    counted = {way: count(NEEDLES[0], KEY_STARTS[0], heads).item() for way, count in ways.items()}

    assert counted == pytest.approx(expected)


def copying(sample):
    """Head 0.0 copies everything, 0.1 from haystack 0 alone, 1.0 the first token, 1.1 nothing."""
    size = len(NEEDLES[sample.labels["needle"]])
    copied = np.full((2, 2, size), -1, dtype=np.int16)
    copied[0, 0] = np.arange(size)
    copied[0, 1] = np.arange(size) if sample.labels["haystack"] == 0 else -1
    copied[1, 0, 0] = 0
    return copied


def test_scores_are_means_over_samples_and_over_halves_of_the_haystacks():
    found = heads(records(copying), threshold="0.4")
    first_token = (1 / 3 + 1 / 2) / 2

    np.testing.assert_allclose(found.details["scores"], [[1, 1 / 3], [first_token, 0]])
    np.testing.assert_allclose(found.details["halves"][0], [[1, 1], [first_token, 0]])
    np.testing.assert_allclose(found.details["halves"][1], [[1, 0], [first_token, 0]])
    number = signals(found)["retrieval_heads"]
    assert (number.value, number.n) == (2, 24)
    assert number.interval == (2, 3)  # head 0.1 enters with haystack 0 drawn twice
    mean = signals(found)["retrieval_score_mean"].value
    assert mean == pytest.approx((1 + 1 / 3 + first_token) / 4)


def test_the_score_at_the_threshold_is_not_above_it():
    found = heads(records(copying, needles=1), threshold="1")

    assert signals(found)["retrieval_heads"].value == 0


def test_the_way_of_counting_is_the_settings():
    found = heads(records(copying), counting="WuCount")

    assert found.details["scores"][1][0] == 0


def test_the_arrays_hold_the_scores_of_every_sample():
    arrays = heads(records(copying)).samples

    assert arrays["scores"].shape == (24, 2, 2)
    assert arrays["scores"].dtype == np.float32
    np.testing.assert_array_equal(arrays["scores"][:, 0, 1], arrays["haystack"] == 0)


def test_every_probe_has_both_halves_and_null_is_not_run():
    assert set(HALVES) == set(PROBES)
    without = ProbesSpec.parse({"niah": SPEC, "retrievalHeads": None}, "probes").asked()
    both = ProbesSpec.parse({"niah": SPEC}, "probes").asked()
    ((_, alone),) = by_source(without)
    ((source, readers),) = by_source(both)
    assert [half.name for half in alone] == ["niah"]
    assert source.name == "niah"
    assert [half.name for half in readers] == ["niah", "retrieval_heads"]


def test_what_is_measured_is_what_the_probe_declares():
    measured = signals(niah.measure(records(), NIAH, contexts(100)))
    declared = {signal.name: signal for signal in PROBES["niah"].signals(NIAH)}
    assert measured.keys() == declared.keys()
    assert all(measured[name].title == signal.title for name, signal in declared.items())
