"""What to do about a verdict, in one sentence that its numbers support."""

from lccp.analysis.sentences.findings import Findings
from lccp.api.objects.verdict import GainState, VerdictState
from lccp.contract.signals import Better, Role

STATE_HORIZON = "state it with --horizon-tokens, or the budget with --budget"


def advice(findings: Findings) -> str:
    """What to do, one sentence."""
    if not findings.checkpoints:
        return "Wait for the first evaluation."
    if findings.stands_still:
        return "Check the trainer: all checkpoints that it saves are the same."
    match findings.newest.state:
        case VerdictState.REGRESSING:
            return _turn_back(findings)
        case VerdictState.SATURATED:
            return _stop(findings)
        case VerdictState.DECEPTIVELY_SATURATED:
            ceiling = findings.standing_ceiling
            title = ceiling.title if ceiling else "ceiling signal"
            return f"{_go_on(findings)} The {title} is flat, and cannot show it."
        case VerdictState.IMPROVING:
            return _go_on(findings)
        case VerdictState.UNDETERMINED:
            return _when_undetermined(findings)


def _stop(findings: Findings) -> str:
    policy = findings.policy
    if policy.horizon_source == "Guess":
        return f"Do not stop because of this verdict: its horizon is a guess; {STATE_HORIZON}."
    return (
        f"Stop here: another {policy.horizon_tokens:,} tokens are expected to gain less than "
        f"{findings.least_gains(findings.saturated)}."
    )


def _go_on(findings: Findings) -> str:
    """Training still pays only where the estimate says so."""
    gains = (findings.newest_gain(signal.name) for signal in findings.improving)
    if any(gain.gain >= findings.policy.delta(gain.signal) for gain in gains if gain):
        return "Continue: training still pays."
    return (
        "Continue for now: the model still improves, but by less than pays; a plateau may follow."
    )


def _turn_back(findings: Findings) -> str:
    newest = findings.newest
    watched = [*findings.policy.signals, *(s.name for s in findings.of_role(Role.GUARD))]
    known = {name: findings.newest_gain(name) for name in watched}
    lost = [name for name, gain in known.items() if gain and gain.state is GainState.REGRESSING]
    signal = findings.signals[lost[0]] if lost else findings.primaries[0]
    best = (min if signal.better is Better.LOWER else max)(
        (c for c in findings.checkpoints if signal.name in c.values),
        key=lambda c: c.values[signal.name],
        default=newest,
    )
    return (
        "Pause the run and check learning rate and data mixture: "
        f"{signal.title} was best at {best.tokens:,} tokens."
    )


def _when_undetermined(findings: Findings) -> str:
    newest, gain, policy = findings.newest, findings.gain, findings.policy
    if policy.signal not in findings.signals:
        return "Measure lengths beyond the source context to get a verdict."
    if newest.plateau_horizons and not policy.constant_schedule:
        return "Decide from the numbers: under a decaying learning rate no plateau can be judged."
    if newest.plateau_horizons and policy.signal in findings.looks:
        return "Measure it with more samples: a preset for a first look decides nothing."
    if newest.plateau_horizons:
        return "Continue until the plateau has lasted, or the gain returns."
    if gain is None and findings.horizon_is_far:
        return (
            "Continue until the checkpoints span more of the horizon, or judge them by a shorter "
            "one."
        )
    if gain is None:
        return "Continue: there are too few checkpoints to judge yet."
    if gain.upper < 0:
        return "Watch it: the model gets worse; if that persists, it will be judged a regression."
    if gain.sampling_sd > gain.checkpoint_sd:
        return "Continue: the gain is lost in sampling noise, which more samples would reduce."
    return (
        "Continue: the gain is lost in noise between checkpoints, which more of them would reduce."
    )
