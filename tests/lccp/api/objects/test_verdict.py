"""A verdict, and the look-ups in it."""

from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import CheckpointVerdict, Gain, Verdict
from lccp.contract.signals import Signal

NIAH = Signal(name="niah_ppl", title="NIAH PPL", unit="PPL")
GAIN = Gain(
    signal="niah_ppl",
    gain=0.1,
    lower=0.0,
    upper=0.2,
    degrees_of_freedom=3,
    sampling_sd=0.1,
    checkpoint_sd=0.1,
    spans_horizon=True,
    state="Undetermined",
)


def a_verdict(*signals: Signal) -> Verdict:
    return Verdict(
        state="Undetermined",
        since_tokens=None,
        at_tokens=None,
        policy=Policy(horizon_tokens=1),
        signals=signals,
        evidence=(),
        advice="Wait.",
        checkpoints=(),
    )


def test_the_primary_signal_is_declared_once_it_was_measured() -> None:
    score = Signal(name="niah_score", title="Score", unit="share")

    assert a_verdict(score, NIAH).primary == NIAH
    assert a_verdict(score).primary is None
    assert a_verdict(score).declared("niah_score") == score


def test_a_checkpoint_has_gains_of_the_signals_that_are_fitted() -> None:
    checkpoint = CheckpointVerdict(tokens=8, gains=(GAIN,), state="Undetermined")

    assert checkpoint.gain("niah_ppl") == GAIN
    assert checkpoint.gain("niah_score") is None
