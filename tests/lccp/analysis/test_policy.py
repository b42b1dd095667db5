"""The policy by which a run is judged."""

from typing import Any

import pytest
from reports import a_report, declared
from series import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, with_changes

from lccp.analysis.policy import names_of, policy_of_reports, policy_of_run
from lccp.api.objects.policy import Policy
from lccp.api.run import LCCPRun
from lccp.contract.signals import Role


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


def test_signals_with_least_gains_of_their_own_guards_and_gate_are_taken_over() -> None:
    asked = {
        "signals": [{"name": "recovery", "minGain": "0.02"}, {"name": "corpus_ppl/english"}],
        "quorum": 1,
        "guards": ["niah_ppl_guard"],
        "ceilings": [],
        "gate": ["recovery lower bound >= 0.8"],
    }
    policy = policy_of_run(a_run(**asked))
    assert policy.signals == ("recovery", "corpus_ppl/english")
    assert (policy.signal, policy.needed) == ("recovery", 1)
    assert (policy.delta("recovery"), policy.delta("corpus_ppl/english")) == (0.02, 0.01)
    assert (policy.guards, policy.ceilings) == (("niah_ppl_guard",), ())
    assert policy.gate == ("recovery lower bound >= 0.8",)


def test_all_primary_signals_are_needed_unless_there_is_a_quorum() -> None:
    both = Policy(horizon_tokens=1, signals=("a", "b"))
    assert both.needed == 2
    assert with_changes(both, quorum=1).needed == 1


def test_guards_and_ceilings_are_those_that_probes_declare_unless_they_are_named() -> None:
    signals = [declared(name) for name in (NIAH_PPL, NIAH_SCORE, NIAH_PPL_GUARD)]
    policy = Policy(horizon_tokens=1)
    assert names_of(Role.GUARD, signals, policy) == [NIAH_PPL_GUARD]
    assert names_of(Role.CEILING, signals, policy) == [NIAH_SCORE]
    named = with_changes(policy, guards=("my_score",), ceilings=())
    assert names_of(Role.GUARD, signals, named) == ["my_score"]
    assert names_of(Role.CEILING, signals, named) == []
    primary = with_changes(policy, signals=(NIAH_PPL, NIAH_PPL_GUARD))
    assert names_of(Role.GUARD, signals, primary) == []


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
