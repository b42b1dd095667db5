"""The findings from which sentences about a verdict are made."""

import pytest
from reports import declared
from series import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE, with_changes
from tiny_reports import POLICY

from lccp.analysis.sentences.findings import Findings, percent
from lccp.api.objects.verdict import CheckpointVerdict, VerdictState
from lccp.contract.signals import Role

SIGNALS = {name: declared(name) for name in (NIAH_PPL, NIAH_SCORE, NIAH_PPL_GUARD)}
FIRST, NEWEST = (
    CheckpointVerdict(tokens=tokens, state=VerdictState.UNDETERMINED) for tokens in (100, 200)
)
FINDINGS = Findings([FIRST, NEWEST], SIGNALS, POLICY)


def test_the_newest_checkpoint_is_the_last() -> None:
    assert FINDINGS.newest is NEWEST
    assert FINDINGS.gain is None


def test_a_signal_is_called_by_its_title_and_one_that_was_not_measured_by_its_name() -> None:
    assert FINDINGS.title == "NIAH-PPL"
    assert FINDINGS.title_of("recovery") == "recovery"


def test_roles_are_those_that_were_measured() -> None:
    assert [signal.name for signal in FINDINGS.of_role(Role.GUARD)] == [NIAH_PPL_GUARD]
    policy = with_changes(POLICY, signals=("recovery", NIAH_PPL), guards=("recovery", NIAH_SCORE))
    other = Findings([NEWEST], SIGNALS, policy)
    assert [signal.name for signal in other.primaries] == [NIAH_PPL]
    assert [signal.name for signal in other.of_role(Role.GUARD)] == [NIAH_SCORE]


@pytest.mark.parametrize(
    ("gain", "signal", "text"),
    [
        (0.0123, NIAH_PPL, "1.23 %"),
        (0.0123, NIAH_SCORE, "0.0123"),
        (-0.0, NIAH_SCORE, "0"),
        (0.5, "unknown", "50 %"),
    ],
)
def test_a_gain_is_a_percentage_on_a_logarithmic_scale_alone(
    gain: float, signal: str, text: str
) -> None:
    assert FINDINGS.amount(gain, signal) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.012, "1.2 %"), (-0.00001, "0 %"), (0.1, "10 %"), (-0.2345, "-23.45 %"), (1, "100 %")],
)
def test_shares_are_written_in_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_signal_has_the_value_of_the_newest_checkpoint_that_measured_it() -> None:
    measured = FIRST.model_copy(update={"values": {NIAH_SCORE: 0.995}})
    found = Findings([measured, NEWEST], SIGNALS, POLICY)
    assert found.newest_value(NIAH_SCORE) == 0.995
    assert found.newest_value(NIAH_PPL) is None
