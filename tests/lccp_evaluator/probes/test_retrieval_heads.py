"""The definitions of `lccp.probes.retrieval_heads`, on records made by hand."""

import numpy as np
import pytest
from made_records import KEY_STARTS, NEEDLES, contexts, records, signals

from lccp.probes.retrieval_heads import RetrievalHeadsSettings
from lccp_evaluator.probes import retrieval_heads


def heads(given, **settings):
    asked = RetrievalHeadsSettings.parse(settings, "heads")
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
