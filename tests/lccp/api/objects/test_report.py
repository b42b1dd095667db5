"""Reports: the values that they accept, and their signals."""

from typing import Any

import pytest
from reports import a_report

from lccp.api.objects.report import ObjectReference, SignalValue
from lccp.contract.errors import InvalidInput

BASE = {"name": "s", "title": "S", "unit": "share", "value": 0.5, "n": 4}
PPL = {"unit": "PPL", "scale": "Log", "value": 1.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"byCluster": {"haystack": [0.25, 0.75]}},
        {"byCluster": {"haystack": [0.5, 0.5 + 1e-7]}},
        {"byCluster": {}},
        {"value": -0.5, "byCluster": {"haystack": [-1, 0]}},
        PPL,
        PPL | {"value": 1 - 1e-7},
        {"interval": [0, 1]},
    ],
)
def test_a_mean_lies_between_those_of_its_clusters(changes: dict[str, Any]) -> None:
    assert SignalValue.parse(BASE | changes, "r").document()["n"] == 4


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"byCluster": {"haystack": [0.6, 0.8]}},
            "s is 0.5, but its haystack means lie between 0.6 and 0.8: they are not from the same",
        ),
        ({"byCluster": {"needle": [0.1, 0.4]}}, "needle means lie between 0.1 and 0.4"),
        (PPL | {"value": 0.9}, "s is a perplexity, so it cannot be 0.9, below 1"),
        (PPL | {"byCluster": {"haystack": [0.9, 2]}}, "it cannot be 0.9, below 1"),
        ({"scale": "Log", "value": 0}, "on a logarithmic scale, so it must be above 0"),
        ({"value": "NaN"}, "value: input should be a finite number"),
        ({"byCluster": {"haystack": ["Infinity"]}}, "input should be a finite number"),
        ({"n": 0}, "n: input should be greater than or equal to 1"),
    ],
)
def test_a_value_that_cannot_be_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        SignalValue.parse(BASE | changes, "report.json")


@pytest.mark.parametrize("digest", ["", "0" * 63, "g" * 64, "A" * 64])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    with pytest.raises(InvalidInput, match=r"^report\.json: sha256: "):
        ObjectReference.parse({"name": "niah.npz", "sha256": digest}, "report.json")


def test_a_signal_is_found_in_whichever_probe_measured_it() -> None:
    report = a_report(100, nll=0.1)

    found = report.signal("niah_score")
    assert found is not None
    assert found.value == 1.0
    assert found in list(report.signals())
    assert report.signal("retrieval_heads") is None
