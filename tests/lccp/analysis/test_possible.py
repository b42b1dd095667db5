"""Whether a plan can ever end Saturated, and what is reported if it can't."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import BASE, changed
from series import a_series

from lccp.analysis.judged import JudgedSignal
from lccp.analysis.possible import FEWEST_IN_A_GAIN, FEWEST_IN_A_LINE, can_saturate, obstacle
from lccp.analysis.rules import gains, plateau
from lccp.api.objects.policy import Policy
from lccp.api.run import LCCPRun


def a_run(**changes: Any) -> LCCPRun:
    """A budget of 200 B with checkpoints every 10 B, and changes by path."""
    return LCCPRun.parse(changed(BASE, changes), "manifest")


def is_saturated(tokens: list[int], policy: Policy) -> bool:
    """By the rules, of a plateau with next to no noise."""
    values = 1e-9 * np.random.default_rng(0).normal(size=len(tokens))
    judged = JudgedSignal.of(a_series(tokens, values), policy)
    return judged is not None and bool(judged.saturated.any())


@pytest.mark.slow
@settings(deadline=None)
@given(
    tokens=st.lists(st.integers(1, 4_000), min_size=1, max_size=14, unique=True).map(sorted),
    horizon=st.sampled_from([250, 400, 700, 1_000]),
    patience=st.integers(1, 3),
    warmup=st.sampled_from([0, 500]),
    least=st.sampled_from([0, 3_000]),
    rounding=st.sampled_from([0, 99, 400]),
)
def test_it_agrees_with_the_rules(
    tokens: list[int], horizon: int, patience: int, warmup: int, least: int, rounding: int
) -> None:
    policy = Policy(
        horizon_tokens=horizon,
        horizon_source="Given",
        patience=patience,
        warmup_tokens=warmup,
        min_tokens=least,
        budget_tokens=4_000,
        rounding_tokens=rounding,
    )
    assert can_saturate(tokens, policy) == is_saturated(tokens, policy)


def test_it_knows_the_needs_of_the_rules() -> None:
    assert (FEWEST_IN_A_LINE, FEWEST_IN_A_GAIN) == (plateau.FEWEST, gains.FEWEST)


def test_a_usual_plan_has_no_obstacle() -> None:
    assert obstacle(a_run()) == ""


def test_a_suite_measures_its_signals_like_a_probe() -> None:
    changes = {
        "spec.evaluation.suites": [{"name": "my-words", "command": ["count"]}],
        "spec.saturation": {"signals": [{"name": "my_words/known"}]},
    }
    assert obstacle(a_run(**changes)) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spec.training.schedule": {"type": "Cosine"}}, "schedule Cosine"),
        ({"spec.evaluation.probes": {"niah": {"preset": "Quick"}}}, "preset for a first look"),
        ({"spec.saturation": {"minTokens": "225B"}}, "set it to at most 200,000,000,000"),
        ({"spec.saturation": {"signals": [{"name": "interference_slope"}]}}, "is off"),
        ({"spec.saturation": {"signals": [{"name": "nlah_ppl"}]}}, "no probe measures it"),
        ({"spec.checkpoints": {"everyTokens": "50B"}}, "checkpoints.everyTokens of at most"),
        ({"spec.saturation": {"patience": 8}}, "saturation.horizonTokens of at most"),
        ({"spec.saturation": {"horizonTokens": "125B"}}, "saturation.horizonTokens of at most"),
        ({"spec.saturation": {"horizonTokens": 25}}, "25, is less than a step of training"),
    ],
)
def test_what_keeps_a_plan_from_it_is_told(changes: dict[str, Any], told: str) -> None:
    assert told in obstacle(a_run(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"spec.checkpoints": {"everyTokens": "50B"}},
        {"spec.checkpoints": {"atTokens": ["25B", "175B"]}},
        {"spec.saturation": {"patience": 16}},
        {"spec.saturation": {"horizonTokens": "125B"}},
        {"spec.saturation": {"horizonTokens": "125B"}, "spec.checkpoints": {"everyTokens": "75B"}},
    ],
)
def test_what_is_told_to_do_does(changes: dict[str, Any]) -> None:
    asked = re.findall(r"(\w+)\.(\w+) of at most ([\d,]+)", obstacle(a_run(**changes)))
    assert asked
    mended: dict[str, Any] = {path: dict(part) for path, part in changes.items()}
    for part, field, tokens in asked:
        mended.setdefault(f"spec.{part}", {})[field] = int(tokens.replace(",", ""))
    assert obstacle(a_run(**mended)) == ""


def test_a_budget_of_too_few_steps_is_told() -> None:
    told = obstacle(a_run(**{"spec.training.tokens": "8M"}))
    assert told.endswith("nor do its 8,000,000 tokens have steps enough for them")


def test_no_distance_below_a_step_is_advised() -> None:
    step = a_run().spec.step_tokens
    for steps in range(2, 60):
        told = obstacle(a_run(**{"spec.training.tokens": steps * step}))
        advised = re.findall(r"everyTokens of at most ([\d,]+)", told)
        assert all(int(tokens.replace(",", "")) >= step for tokens in advised), told


def test_one_signal_that_is_off_does_not_matter_where_another_is_enough() -> None:
    signals = [{"name": "niah_ppl"}, {"name": "interference_slope"}]
    assert obstacle(a_run(**{"spec.saturation": {"signals": signals, "quorum": 1}})) == ""
    assert "interference_slope" in obstacle(a_run(**{"spec.saturation": {"signals": signals}}))


def test_neither_a_first_look_nor_a_signal_that_is_off_is_enough() -> None:
    changes = {
        "spec.evaluation.probes": {"niah": {"preset": "Quick"}},
        "spec.saturation": {
            "signals": [{"name": "niah_ppl"}, {"name": "interference_slope"}],
            "quorum": 1,
        },
    }
    assert "niah_ppl is measured by the probe niah with a preset" in obstacle(a_run(**changes))
