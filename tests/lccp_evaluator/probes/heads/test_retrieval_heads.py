"""The definitions of `lccp.probes.heads.retrieval_heads`, on handmade records."""

from dataclasses import replace

import numpy as np
import pytest
from made_records import KEY_STARTS, NEEDLES, contexts, records, signals

from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp_evaluator.probes.heads import retrieval_heads


def heads(given, **settings):
    asked = RetrievalHeadsSettings.parse({"source": "Niah"} | settings, "heads")
    return retrieval_heads.measure(given, asked, contexts(128))


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
    """Head 0.0 copies everything, 0.1 only from haystack 0, 1.0 the first token, 1.1 nothing."""
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
    assert number.interval == (2, 3)  # head 0.1 counts when haystack 0 is drawn twice
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


def test_attention_on_the_needle_is_a_mean_over_heads_and_samples_by_cluster():
    mass = signals(heads(records()))["needle_mass"]

    assert mass.value == pytest.approx((0.25 + 0.375) / 2)
    assert mass.by_cluster["needle"] == pytest.approx((0.25, 0.375))
    assert mass.by_cluster["haystack"] == pytest.approx([mass.value] * 3)


def test_concentration_is_told_by_the_top_heads_share_and_by_gini():
    found = signals(heads(records(copying), topHeads=1))
    scores = np.array([1, 1 / 3, (1 / 3 + 1 / 2) / 2, 0])
    differences = np.abs(scores[:, None] - scores).mean()

    assert found["score_top_share"].value == pytest.approx(1 / scores.sum())
    assert found["score_gini"].value == pytest.approx(differences / (2 * scores.mean()))


def test_heads_that_do_not_see_the_needle_are_not_scored_and_it_is_said():
    given = records(copying)
    for sample, reading in zip(given.samples, given.readings, strict=True):
        reading.sees[0] = sample.length < 150  # layer 0 has a window

    half = heads(given)
    assert half.details["visible"] == pytest.approx([0.5, 1.0])
    assert half.details["scores"][0, 0] == 1.0  # where it sees, it copies everything
    assert np.isnan(half.samples["scores"][half.samples["length"] == 200][:, 0]).all()
    assert half.notes == ()

    for reading in given.readings:
        reading.sees[0] = False
    blind = heads(given)
    assert np.isnan(blind.details["scores"][0]).all()
    assert blind.notes == (
        "retrievalHeads: heads of layers 0 see no needle, so they are not scored",
    )
    assert signals(blind)["retrieval_score_mean"].value == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_heads_without_a_score_do_not_concentrate_the_others():
    given = records(copying)
    for reading in given.readings:
        reading.sees[0] = False

    found = signals(heads(given, topHeads=1))
    assert found["score_gini"].value == pytest.approx(1 / 2)  # one of two heads has everything
    assert found["score_top_share"].value == 1
    assert found["needle_mass"].value == pytest.approx((0.25 + 0.375) / 2)
    number = signals(heads(given, threshold="0.4"))["retrieval_heads"]
    assert (number.value, number.interval) == (1, (1, 1))


def test_a_cluster_of_which_no_head_sees_the_needle_is_left_out():
    given = records(copying)
    for sample, reading in zip(given.samples, given.readings, strict=True):
        reading.sees[:] = sample.labels.get("needle") == 1

    mass = signals(heads(given))["needle_mass"]
    assert mass.by_cluster["needle"] == (0.375,)
    assert len(mass.by_cluster["haystack"]) == 3
    assert (mass.value, mass.n) == (0.375, 12)


def test_where_no_head_sees_a_needle_nothing_is_measured_and_it_is_said():
    given = records(copying)
    for reading in given.readings:
        reading.sees[:] = False

    found = heads(given)
    assert (found.signals, found.details) == ((), {})
    assert found.notes == ("retrievalHeads: no head sees a needle: nothing is scored",)


def test_samples_of_biographies_are_clustered_by_document_and_attribute():
    given = records(copying).of("full")
    samples = [
        sample.model_copy(
            update={
                "labels": {
                    "document": sample.labels["haystack"],
                    "attribute": sample.labels["needle"],
                }
            }
        )
        for sample in given.samples
    ]
    found = heads(replace(given, samples=samples), source="Bio")

    assert set(signals(found)["needle_mass"].by_cluster) == {"document", "attribute"}
    assert signals(found)["retrieval_heads"].value == 3
