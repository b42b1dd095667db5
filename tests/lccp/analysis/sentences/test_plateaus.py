"""How far a plateau has come, and what a saturation is based on."""

import numpy as np
import pytest
from series import a_trajectory
from tiny_reports import POLICY, REGULAR

from lccp.analysis.sentences.findings import Findings
from lccp.analysis.sentences.plateaus import lines, plateau, plateau_words
from lccp.analysis.verdict import judge_trajectory
from lccp.api.objects.verdict import CheckpointVerdict

WOBBLE = 1e-4 * (-1.0) ** np.arange(len(REGULAR))


def findings(values: np.ndarray) -> Findings:
    verdict = judge_trajectory(a_trajectory(REGULAR[: len(values)], values), POLICY)
    declared = {signal.name: signal for signal in verdict.signals}
    return Findings(verdict.checkpoints, declared, POLICY)


@pytest.mark.parametrize(("horizons", "words"), [(0, "0 of 2"), (1, "1 of 2"), (7, "2 of 2")])
def test_a_plateau_is_told_up_to_the_patience(horizons: int, words: str) -> None:
    checkpoint = CheckpointVerdict(tokens=1, plateau_horizons=horizons, state="Undetermined")

    assert plateau_words(checkpoint, POLICY) == f"{words} horizons"


def test_before_a_horizon_is_spanned_no_plateau_can_be_said() -> None:
    assert "do not span a horizon (400 tokens) yet" in plateau(findings(WOBBLE[:4]))


def test_a_plateau_that_is_no_saturation_says_what_one_takes() -> None:
    told = plateau(findings(WOBBLE[:6]))

    assert told.startswith("Plateau (1 of 2 horizons): ")
    assert lines(findings(WOBBLE[:6])) == ""


def test_a_saturation_rests_on_a_line() -> None:
    flat = findings(WOBBLE)

    assert plateau(flat) == ""
    assert lines(flat).startswith("The line through the last ")


def test_a_signal_that_moves_is_on_no_plateau() -> None:
    for values in (REGULAR / 4_000, -REGULAR / 4_000):
        assert plateau(findings(values)) == ""
        assert lines(findings(values)) == ""
