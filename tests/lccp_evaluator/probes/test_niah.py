"""The definitions of `lccp.probes.niah`, on handmade records."""

import math

import numpy as np
import pytest
from made_records import NIAH, contexts, nll, records, signals

from lccp.contract.errors import InvalidInput
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import niah
from lccp_evaluator.probes.niah import ContextUse
from lccp_evaluator.records import FloatArray
from lccp_evaluator.sampling.crossing import FULL


def cell(sample):
    return sample.length, sample.labels["depth_percent"]


def test_a_cell_is_the_exponential_of_its_mean_nll():
    given = records()
    details = niah.measure(given, NIAH, contexts(128)).details
    own = [nll(s) for s in given.of(FULL).samples if cell(s) == (100, 50)]

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
    beyond = [s for s in given.of(FULL).samples if s.length == 200]
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
    deep = [nll(s) for s in given.of(FULL).samples if cell(s) == (200, 50)]

    assert details["ppl_by_depth"][1] == pytest.approx(math.exp(np.mean(deep)))
    near = [nll(s) for s in given.of(FULL).samples if cell(s) == (100, 50)]
    assert details["ppl_by_depth_guard"][1] == pytest.approx(math.exp(np.mean(near)))
    assert "ppl_by_depth" not in niah.measure(given, NIAH, contexts(200)).details
    assert "ppl_by_depth_guard" not in niah.measure(given, NIAH, contexts(50)).details


def test_the_middle_is_told_from_the_ends_within_each_cluster():
    deep = NIAH.model_copy(update={"depths_percent": (0, 40, 60, 100)})
    given = records(depths=deep.depths_percent)
    for sample, reading in zip(given.samples, given.readings, strict=True):
        if sample.role == FULL and 0 < sample.labels["depth_percent"] < 100:
            reading.nll[:] += 0.2 + 0.1 * sample.labels["haystack"] + sample.length / 1_000

    found = signals(niah.measure(given, deep, contexts(100)))
    index, guard = found["niah_lost_in_the_middle"], found["niah_lost_in_the_middle_guard"]

    assert found.keys() == {signal.name for signal in PROBES["niah"].signals(deep)}
    assert index.by_cluster["haystack"] == pytest.approx((0.4, 0.5, 0.6))
    assert index.by_cluster["needle"] == pytest.approx((0.5, 0.5))
    assert (index.value, guard.value) == pytest.approx((0.5, 0.4))
    assert index.n == 24
    assert index.interval[0] < 0.5 < index.interval[1]


def test_the_ends_weigh_the_same_so_that_an_even_rise_is_no_loss_in_the_middle():
    deep = NIAH.model_copy(update={"depths_percent": (0, 10, 20, 50, 90)})
    given = records(depths=deep.depths_percent)
    found = signals(niah.measure(given, deep, contexts(100)))

    assert found["niah_lost_in_the_middle"].value == pytest.approx((50 - (10 + 90) / 2) / 500)


def test_depths_that_miss_a_third_have_no_index():
    assert not any(
        "lost_in" in name for name in signals(niah.measure(records(), NIAH, contexts(100)))
    )


def test_a_value_that_is_no_finite_number_is_refused_by_its_name():
    given = records()
    given.readings[0].nll[0] = np.nan

    with pytest.raises(InvalidInput, match="NIAH-PPL, guard band is not a finite number"):
        niah.measure(given, NIAH, contexts(100))


def test_the_arrays_hold_every_token_of_every_sample():
    given = records()
    arrays = niah.measure(given, NIAH, contexts(128)).samples
    given = given.of(FULL)
    offsets = arrays["token_offsets"]

    for i, (sample, reading) in enumerate(zip(given.samples, given.readings, strict=True)):
        part = slice(offsets[i], offsets[i + 1])
        np.testing.assert_array_equal(arrays["token_nll"][part], reading.nll)
        np.testing.assert_array_equal(arrays["token_is_arg_max"][part], reading.is_arg_max)
        assert arrays["nll"][i] == pytest.approx(nll(sample))
        assert {name: arrays[name][i] for name in sample.labels} == sample.labels


def test_what_is_measured_is_what_the_probe_declares():
    measured = signals(niah.measure(records(), NIAH, contexts(100)))
    declared = {signal.name: signal for signal in PROBES["niah"].signals(NIAH)}
    assert measured.keys() == declared.keys()
    assert all(measured[name].title == signal.title for name, signal in declared.items())


def test_gain_and_recovery_are_of_means_over_the_samples_of_a_band():
    found = signals(niah.measure(records(), NIAH, contexts(100)))
    full = np.mean([nll(s) for s in records().of(FULL).samples if s.length == 200])
    none, oracle = np.mean([3.0, 3.5]), np.mean([0.05, 0.07])

    assert found["context_gain"].value == pytest.approx(none - full)
    assert found["recovery"].value == pytest.approx((none - full) / (none - oracle))
    assert found["recovery"].n == found["context_gain"].n == 12
    assert found["context_gain_guard"].value > found["context_gain"].value


@pytest.mark.parametrize("name", ["context_gain", "recovery"])
def test_clusters_of_gain_and_recovery_average_to_their_value(name):
    signal = signals(niah.measure(records(), NIAH, contexts(100)))[name]

    for values in signal.by_cluster.values():
        assert np.mean(values) == pytest.approx(signal.value)
    assert {kind: len(values) for kind, values in signal.by_cluster.items()} == {
        "haystack": 3,
        "needle": 2,
    }
    assert signal.interval[0] < signal.value < signal.interval[1]


def test_where_the_needle_alone_does_not_help_for_sure_recovery_is_not_measured_and_it_is_said():
    given = records()
    for sample, reading in zip(given.samples, given.readings, strict=True):
        if sample.role == "none":
            reading.nll[:] = 0.06 if sample.labels["needle"] else 3.0

    measurement = niah.measure(given, NIAH, contexts(200))

    assert "recovery_guard" not in signals(measurement)
    assert "context_gain_guard" in signals(measurement)
    assert measurement.notes == [
        "niah: recovery (guard) is not measured: the needle alone does not help for sure"
    ]


def test_a_quick_grid_says_that_it_decides_nothing():
    quick = NIAH.model_copy(update={"preset": "Quick"})

    assert (
        "too few samples to decide anything"
        in niah.measure(records(), quick, contexts(100)).notes[0]
    )
    assert niah.measure(records(), NIAH, contexts(100)).notes == []


OF_NEEDLE, OF_HAYSTACK = np.tile([0, 1, 2], 2), np.repeat([0, 1], 3)
WHOLE = np.array([1.0, 1.5, 2.0, 3.0, 2.5, 2.0])
NONE, ORACLE = np.array([4.0, 5.0, 6.0]), np.array([0.5, 0.6, 0.7])


def use(full: FloatArray, oracle: FloatArray = ORACLE) -> ContextUse:
    return ContextUse(full, OF_HAYSTACK, OF_NEEDLE, NONE, oracle)


def test_gain_is_what_the_answer_costs_more_without_context() -> None:
    gain = use(WHOLE).gain

    assert gain.value == pytest.approx(5.0 - 2.0)
    np.testing.assert_allclose(gain.by_cluster["needle"], [2.0, 3.0, 4.0])
    np.testing.assert_allclose(gain.by_cluster["haystack"], [3.5, 2.5])


def test_recovery_is_the_share_of_what_the_needle_alone_gains() -> None:
    recovery = use(WHOLE).recovery

    assert recovery is not None
    assert recovery.value == pytest.approx(3.0 / 4.4)
    for clusters in recovery.by_cluster.values():
        assert clusters.mean() == pytest.approx(recovery.value)


def test_a_context_that_gives_all_that_the_needle_gives_recovers_all() -> None:
    recovery = use(np.tile(ORACLE, 2)).recovery

    assert recovery is not None
    assert recovery.value == pytest.approx(1)
    np.testing.assert_allclose(recovery.by_cluster["needle"], 1)


@pytest.mark.parametrize(
    "oracle",
    [NONE, NONE + np.array([1.0, -1.0, 0.1])],
    ids=["no gain at all", "a gain that may be noise"],
)
def test_without_a_gain_of_the_needle_for_sure_there_is_no_recovery(oracle: FloatArray) -> None:
    assert use(WHOLE, oracle).recovery is None
