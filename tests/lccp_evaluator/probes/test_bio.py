"""The definitions of `lccp.probes.bio`, on handmade records."""

import math

import numpy as np
import pytest

from lccp.probes.bio import BioSettings
from lccp.probes.probe import Contexts
from lccp.probes.registry import PROBES
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.probes import bio
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.samples import FrozenSamples, Sample

SETTINGS = BioSettings()
HEADER = Header(probe="bio", version=1, settings={"seed": 0}, tokenizer_digest="d", vocabulary=10)


def a_sample(length, depth, document, attribute):
    return Sample(
        slices=((0, 0, length - 3 - document), (1, 0, 3)),  # somewhat less than the nominal length
        answer=(length - 3 - document, length - document),
        needle=(0, 3),
        key_start=1,
        labels={
            "nominal_length": length,
            "depth_percent": depth,
            "achieved_depth_percent": depth + 1.5,
            "document": document,
            "attribute": attribute,
        },
    )


def nll(sample):
    labels = sample.labels
    return labels["nominal_length"] / 500 + labels["depth_percent"] / 100 + labels["document"] / 9


@pytest.fixture
def records():
    samples = [
        a_sample(length, depth, document, (document + depth) % 3)
        for length in (100, 200)
        for depth in (0, 50, 100)
        for document in range(4)
    ]
    readings = []
    for sample in samples:
        hit = sample.labels["attribute"] != 2
        token_nll = nll(sample) + np.array([-0.1, 0.0, 0.1])
        readings.append(
            Reading(token_nll, np.array([False, True, hit]), np.zeros((1, 1, 3), np.int16))
        )
    frozen = FrozenSamples(HEADER, (np.zeros(200, int), np.zeros(3, int)), tuple(samples))
    return Records(frozen, samples, readings)


def measured(records, source=100):
    return bio.measure(records, SETTINGS, Contexts(source, 200, 200))


def test_a_band_is_told_by_the_nominal_length_and_every_answer_weighs_the_same(records):
    found = {signal.name: signal for signal in measured(records).signals}
    beyond = [s for s in records.samples if s.labels["nominal_length"] == 200]
    own = [nll(s) for s in beyond]

    assert found.keys() == {signal.name for signal in PROBES["bio"].signals(SETTINGS)}
    assert found["bio_ppl"].value == pytest.approx(math.exp(np.mean(own)))
    assert found["bio_ppl"].n == 12
    hits = [s.labels["attribute"] != 2 for s in beyond]
    assert found["bio_score"].value == pytest.approx(np.mean(hits))  # a miss in the stem is ignored


def test_clusters_are_documents_and_attributes(records):
    ppl = next(one for one in measured(records).signals if one.name == "bio_ppl")
    beyond = [s for s in records.samples if s.labels["nominal_length"] == 200]

    for kind, number in (("document", 4), ("attribute", 3)):
        by_cluster = [
            np.mean([nll(s) for s in beyond if s.labels[kind] == one]) for one in range(number)
        ]
        assert np.log(ppl.by_cluster[kind]) == pytest.approx(by_cluster)


def test_signals_are_reported_by_the_clusters_that_the_probe_declares(records):
    for signal in measured(records).signals:
        kinds = PROBES.clusters("bio", signal.name, {"bio": SETTINGS})
        assert list(signal.by_cluster) == [kind.name for kind in kinds]


def test_the_middle_is_told_from_the_ends_by_documents_which_weigh_the_same(records):
    even = next(one for one in measured(records).signals if one.name == "bio_lost_in_the_middle")
    for sample, reading in zip(records.samples, records.readings, strict=True):
        if sample.labels["depth_percent"] == 50:
            reading.nll[:] += 0.1 * sample.labels["document"]
    moved = records.where(np.ones(len(records.samples), dtype=bool))
    index = next(one for one in measured(moved).signals if one.name == "bio_lost_in_the_middle")

    assert even.value == pytest.approx(0.0)  # the NLL rises evenly with the depth
    assert index.by_cluster.keys() == {"document"}
    assert index.by_cluster["document"] == pytest.approx((0.0, 0.1, 0.2, 0.3))
    assert index.value == pytest.approx(0.15)


def test_a_document_without_a_fact_in_a_third_leaves_the_middle_unmeasured(records):
    few = np.array(
        [s.labels["document"] > 0 or s.labels["depth_percent"] < 100 for s in records.samples]
    )

    found = {one.name for one in measured(records.where(few)).signals}

    assert "bio_ppl" in found
    assert not any("lost_in" in name for name in found)


def test_cells_are_by_nominal_length_and_depth(records):
    details = measured(records).details
    own = [
        nll(s)
        for s in records.samples
        if (s.labels["nominal_length"], s.labels["depth_percent"]) == (200, 50)
    ]

    assert details["lengths"].tolist() == [100, 200]
    assert details["nll"][1, 1] == pytest.approx(np.mean(own))
    assert details["ppl_by_depth"][1] == pytest.approx(math.exp(np.mean(own)))
    assert details["achieved_depth_percent"][1, 1] == pytest.approx(51.5)


def test_a_band_without_lengths_is_absent(records):
    assert {signal.band for signal in measured(records, source=200).signals} == {"guard"}
