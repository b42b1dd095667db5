"""By what measure a run is judged."""

from typing import Any

import pytest
from reports import a_report
from series import with_changes

from lccp.analysis.policy import policy_of_reports, policy_of_run
from lccp.api.objects.policy import Policy
from lccp.api.run import LCCPRun


def a_run(training: dict[str, Any] | None = None, **saturation: Any) -> LCCPRun:
    sources = [
        {"name": kind.lower(), "kind": kind, "path": f"{kind.lower()}.jsonl"}
        for kind in ("Long", "Short")
    ]
    asked = {"tokens": "8M", "globalBatchTokens": 4_096, "learningRate": "1.5e-4"}
    document = {
        "metadata": {"name": "tiny"},
        "spec": {
            "model": {"source": "model", "targetContextLength": 512},
            "data": {"sources": sources},
            "training": asked | (training or {}),
            "checkpoints": {"everyTokens": 102_400},
            "saturation": saturation,
        },
    }
    return LCCPRun.parse(document, "manifest")


def test_defaults_are_those_of_the_manifest() -> None:
    assert policy_of_run(a_run()) == Policy(
        horizon_tokens=1_000_000,
        horizon_source="Budget",
        budget_tokens=8_000_000,
        rounding_tokens=4_095,
    )


def test_everything_asked_for_is_taken_over() -> None:
    schedule = {"type": "Cosine", "warmupTokens": 40_960}
    saturation = {
        "minGain": "0.03",
        "horizonTokens": 409_600,
        "patience": 3,
        "confidence": "0.9",
        "minTokens": "1M",
    }
    assert policy_of_run(a_run({"schedule": schedule}, **saturation)) == Policy(
        horizon_tokens=409_600,
        min_gain=0.03,
        patience=3,
        confidence=0.9,
        min_tokens=1_000_000,
        warmup_tokens=40_960,
        constant_schedule=False,
        budget_tokens=8_000_000,
        rounding_tokens=4_095,
    )


@pytest.mark.parametrize(
    ("tokens", "step", "expected"),
    [
        (819_200, 200, Policy(horizon_tokens=102_400, rounding_tokens=4_095)),
        (819_200, 0, Policy(horizon_tokens=102_400)),
        (0, 0, Policy(horizon_tokens=1)),
    ],
)
def test_without_a_run_the_newest_checkpoint_is_the_budget(
    tokens: int, step: int, expected: Policy
) -> None:
    reports = [a_report(tokens, 0.1, step=step), a_report(-1 + 1, 0.1, step=0)]
    assert policy_of_reports(reports) == with_changes(expected, horizon_source="Guess")


def test_without_reports_there_are_defaults_still() -> None:
    assert policy_of_reports([]) == Policy(horizon_tokens=1, horizon_source="Guess")
