"""The definitions of `lccp.probes.interference`, on handmade records."""

from dataclasses import replace

import numpy as np
import pytest
from made_records import a_reading, records, signals
from numpy.testing import assert_allclose

from lccp.probes.interference import InterferenceSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.interference import measure, slope_weights
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.crossing import FULL, around_needle
from lccp_evaluator.sampling.samples import Sample

CONTEXTS = Contexts(400, 800, 800)
ASKED = InterferenceSettings(distance=200, bins=4)
PLACES = ((0, 150), (100, 200), (250, 180), (400, 220), (550, 230), (300, 500), (10, 700))
"""Tokens before and after the needle; the last two are not near a distance of 200."""
NEAR = 5


def _placed(sample: Sample, before: int, after: int) -> Sample:
    """`sample` with these numbers of haystack tokens around its needle."""
    opening, needle, *_ = sample.slices
    question, answer = (2, 0, 6), needle
    slices = (opening, (0, 0, before), needle, (0, before, before + after), question, answer)
    return sample.model_copy(update={"slices": slices})


def _records(places: tuple[tuple[int, int], ...] = PLACES, slope: float = 0.004) -> Records:
    """NLLs rise by `slope` for each token before the needle, by half as much after it."""
    given = records().of(FULL)
    first = [s for s in given.samples if s.length == 100 and s.labels["depth_percent"] == 0]
    samples, readings = [], []
    for sample in first:
        for before, after in places:
            placed = _placed(sample, before, after)
            level = a_reading(sample)
            shift = slope * (before + after / 2)
            samples.append(placed)
            readings.append(replace(level, nll=level.nll + shift))
    return Records(given.frozen, samples, readings)


def test_the_slope_of_a_line_is_found_whatever_the_levels_of_haystacks_and_needles():
    slope = signals(measure(_records(), ASKED, CONTEXTS))["interference_slope"]

    assert slope.value == pytest.approx(0.004 * 800)
    assert slope.n == 6 * NEAR


def test_it_is_the_coefficient_of_a_least_squares_fit():
    given = _records()
    rng = np.random.default_rng(1)
    readings = [replace(r, nll=r.nll + rng.normal(0, 0.3)) for r in given.readings]
    noisy = Records(given.frozen, given.samples, readings)
    found = signals(measure(noisy, ASKED, CONTEXTS))["interference_slope"]

    before, after = np.array([around_needle(one) for one in noisy.samples]).T
    near = (after >= 0) & (after <= 400)
    haystack, needle = noisy.label("haystack"), noisy.label("needle")
    columns = [haystack == 0, haystack == 1, haystack == 2, needle == 1, before, after]
    design = np.column_stack(columns).astype(float)[near]
    expected = np.linalg.lstsq(design, noisy.nll[near], rcond=None)[0][4]
    assert found.value == pytest.approx(800 * expected)


def test_the_values_of_clusters_average_to_it():
    found = signals(measure(_records(), ASKED, CONTEXTS))["interference_slope"]

    assert {kind: len(values) for kind, values in found.by_cluster.items()} == {
        "haystack": 3,
        "needle": 2,
    }
    for values in found.by_cluster.values():
        assert np.mean(values) == pytest.approx(found.value)


def test_it_is_not_measured_where_distance_tells_all_of_interference():
    places = tuple((before, 300 - before) for before in (100, 150, 200))
    found = measure(_records(places), ASKED, CONTEXTS)

    assert not found.signals
    assert "does not separate interference from distance near 200 tokens" in found.notes[0]


def test_no_samples_near_the_distance_give_no_slope():
    found = measure(_records(((100, 700), (10, 790))), ASKED, CONTEXTS)

    assert not found.signals
    assert "ppl_near" not in found.details
    assert slope_weights(np.array([]), np.array([]), {}) is None


def test_cells_hold_the_means_of_their_samples():
    given = _records()
    details = measure(given, ASKED, CONTEXTS).details

    assert details["distances"].tolist() == [0, 200, 400, 600]
    assert details["interferences"].tolist() == [0, 200, 400]
    chosen = [i for i, one in enumerate(given.samples) if around_needle(one) == (400, 220)]
    assert details["samples"][1, 2] == 2 * len(chosen)
    assert details["samples"][3].tolist() == [6, 0, 0]
    assert np.isnan(details["ppl"][3, 1])
    first = [i for i, one in enumerate(given.samples) if around_needle(one) == (10, 700)]
    assert details["ppl"][3, 0] == pytest.approx(np.exp(given.nll[first].mean()))


def test_the_profile_is_of_samples_near_the_distance_alone():
    details = measure(_records(), ASKED, CONTEXTS).details

    assert details["interferences_near"].tolist() == [0, 200, 400]
    near = [i for i, one in enumerate(_records().samples) if around_needle(one) == (250, 180)]
    far = [i for i, one in enumerate(_records().samples) if around_needle(one) == (300, 500)]
    given = _records().nll
    assert_allclose(details["ppl_near"][1], np.exp(given[near].mean()))
    assert given[far].mean() != pytest.approx(given[near].mean())
