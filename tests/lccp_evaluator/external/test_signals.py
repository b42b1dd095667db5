"""The output of an external program becomes a report, or is refused in one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_world import manifest_of

from lccp.analysis.trajectory import Trajectory
from lccp.api.spec.evaluation import ExternalSuite
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Better, Role
from lccp_evaluator.external.signals import read_signals, report_of

SUITE = ExternalSuite.parse(
    {"name": "lm-eval", "command": ["lm-eval"], "image": "image:1", "signals": ["acc"]}, "suite"
)
ACC = {"name": "acc", "value": 0.5, "n": 100}


def read(*signals, **more):
    return read_signals(json.dumps({"signals": signals} | more).encode(), SUITE)


def test_signals_are_named_after_their_suite_and_a_standard_error_is_an_interval():
    manifest = manifest_of(4_096)
    written = ACC | {"standardError": 0.05, "role": "Guard", "byCluster": {"task": [0.4, 0.6]}}

    report = report_of(read(written, samplesDigest="abc", settings={"shots": 5}), SUITE, manifest)

    (signal,) = report.signals()
    assert (signal.name, signal.title, signal.value, signal.n) == ("lm_eval/acc", "acc", 0.5, 100)
    assert signal.interval == pytest.approx((0.402, 0.598), abs=1e-4)
    assert (signal.role, signal.better) == (Role.GUARD, Better.HIGHER)
    assert (report.suite, report.tokens) == ("lm-eval", 4_096)
    assert report.checkpoint_digest == manifest.digest
    part = report.probes["lm-eval"]
    assert part.settings == {"command": ["lm-eval"], "image": "image:1", "shots": 5}
    assert part.samples_digest == "abc"


def test_what_another_image_measured_is_not_compared():
    other = SUITE.model_copy(update={"image": "image:2"})
    suites = [(1, SUITE), (2, SUITE), (3, other)]
    reports = [report_of(read(ACC), suite, manifest_of(n * 4_096)) for n, suite in suites]

    trajectory = Trajectory.from_reports(reports)

    assert trajectory.series["lm_eval/acc"].tokens.tolist() == [4_096, 8_192]
    assert [one.suite for one in trajectory.excluded] == ["lm-eval"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"acc = 1", "suite lm-eval: its signals file is not JSON"),
        (b"\xff", "its signals file is not JSON"),
        (
            b'{"signals": [{"name": "acc", "value": NaN, "n": 1}]}',
            "contains NaN, which is not a number",
        ),
        (b'{"signals": [{"name": "acc", "value": 1e999, "n": 1}]}', r"signals\[0\].value"),
        (b'{"signals": []}', "signals: tuple should have at least 1 item"),
        (b'{"signals": [{"name": "f1", "value": 1, "n": 1}]}', "lacks the signal acc, .* has f1"),
        (b"[]", "its signals file: "),
        (b" " * (4 * 2**20 + 1), "has 4,194,305 bytes: at most 4,194,304 are read"),
    ],
    ids=["text", "bytes", "NaN", "infinite", "none", "missing", "list", "long"],
)
def test_what_are_no_signals_is_refused_in_one_sentence(data, told):
    with pytest.raises(InvalidInput, match=told):
        read_signals(data, SUITE)


def test_a_signal_that_is_there_twice_is_refused():
    with pytest.raises(InvalidInput, match="contains the signal acc twice"):
        read(ACC, ACC)


def test_a_value_that_its_clusters_contradict_is_refused():
    found = read(ACC | {"byCluster": {"task": [0.7, 0.9]}})

    with pytest.raises(InvalidInput, match=r"suite lm-eval.*task means lie between 0.7 and 0.9"):
        report_of(found, SUITE, manifest_of(4_096))


@given(st.binary(max_size=200))
def test_whatever_a_program_leaves_is_refused_in_one_sentence(data):
    with pytest.raises(InvalidInput) as refused:
        read_signals(data, SUITE)

    assert "\n" not in str(refused.value)
