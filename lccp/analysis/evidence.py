"""Why the verdict is what it is, in sentences with numbers, and what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lccp.analysis.policy import CEILING
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState, VerdictState
from lccp.contract.signals import Better, Role, Scale, Signal

COURSE_ROLES = (Role.CEILING, Role.PRIMARY)


@dataclass(frozen=True)
class Findings:
    """What sentences are made from."""

    checkpoints: Sequence[CheckpointVerdict]
    """Oldest first."""
    signals: Mapping[str, Signal]
    policy: Policy

    @property
    def newest(self) -> CheckpointVerdict:
        return self.checkpoints[-1]

    @property
    def gain(self) -> Gain | None:
        """The newest gain of the policy's signal."""
        return self.newest.gain(self.policy.signal)

    @property
    def title(self) -> str:
        """The policy's signal in sentences."""
        signal = self.signals.get(self.policy.signal)
        return signal.title if signal else self.policy.signal

    def of_role(self, role: Role) -> list[Signal]:
        return [signal for signal in self.signals.values() if signal.role is role]


def evidence(findings: Findings) -> tuple[str, ...]:
    """Sentences, the most important first."""
    if not findings.checkpoints:
        return ("No checkpoint has been evaluated yet.",)
    gain = findings.gain
    main = _without_gain(findings) if gain is None else _gain(gain, findings)
    losses = " ".join(_gain(loss, findings) for loss in _regressing_guards(findings))
    steady = gain is not None and gain.state is not GainState.REGRESSING
    sentences = (
        *((losses, main) if steady else (main, losses)),
        _still(findings),
        _plateau(findings),
        _schedule(findings),
        _min_tokens(findings),
        _course(findings),
        _noise(findings),
    )
    return tuple(sentence for sentence in sentences if sentence)


def advice(findings: Findings) -> str:
    """What to do, one sentence."""
    if not findings.checkpoints:
        return "Wait for the first evaluation."
    policy = findings.policy
    match findings.newest.state:
        case VerdictState.REGRESSING:
            return _turn_back(findings)
        case VerdictState.SATURATED:
            return (
                f"Stop here: another {policy.horizon_tokens:,} tokens are expected to gain less "
                f"than {_amount(policy.min_gain, findings.signals[policy.signal])}."
            )
        case VerdictState.DECEPTIVELY_SATURATED:
            (title, *_) = [signal.title for signal in findings.of_role(Role.CEILING)]
            return f"Go on: the {title} stands still, but the model still improves."
        case VerdictState.IMPROVING:
            return "Go on: training still pays."
        case VerdictState.UNDETERMINED:
            return _when_undetermined(findings)


def _gain(gain: Gain, findings: Findings) -> str:
    policy, signal = findings.policy, findings.signals[gain.signal]
    verb, sign = ("gains", 1) if gain.gain >= 0 else ("loses", -1)
    ends = sorted((sign * gain.lower, sign * gain.upper))
    return (
        f"{signal.title} {verb} {_amount(abs(gain.gain), signal)} per {policy.horizon_tokens:,} "
        f"tokens, between {_amount(ends[0], signal)} and {_amount(ends[1], signal)} "
        f"({percent(policy.confidence)} confidence on each side); the least gain that pays is "
        f"{_amount(policy.min_gain, signal)}."
    )


def _regressing_guards(findings: Findings) -> list[Gain]:
    guards = (findings.newest.gain(signal.name) for signal in findings.of_role(Role.GUARD))
    return [gain for gain in guards if gain and gain.state is GainState.REGRESSING]


def _without_gain(findings: Findings) -> str:
    policy = findings.policy
    if policy.signal not in findings.signals:
        return (
            f"The signal {policy.signal} was not measured: no length lies beyond the source "
            "context, or its probe is off."
        )
    fitted = sum(c.tokens > max(0, policy.warmup_tokens) for c in findings.checkpoints)
    if fitted >= 3:
        return (
            f"{findings.title} was measured on one cluster of samples, so its sampling noise "
            "cannot be known: evaluate with at least two haystacks."
        )
    return f"A gain needs three checkpoints beyond the warm-up; so far there are {fitted}."


def _still(findings: Findings) -> str:
    newest = findings.newest
    if newest.state is not VerdictState.DECEPTIVELY_SATURATED:
        return ""
    for signal in findings.of_role(Role.CEILING):
        value, gain = newest.values.get(signal.name, 0.0), newest.gain(signal.name)
        if value >= CEILING:
            return f"The {signal.title} is at its ceiling ({value:.3f}), {findings.title} is not."
        if gain is not None and gain.state is GainState.PLATEAU:
            return (
                f"The {signal.title} stands still at {value:.3f} (its gain lies between "
                f"{gain.lower:.3f} and {gain.upper:.3f}), {findings.title} does not."
            )
    return ""


def _plateau(findings: Findings) -> str:
    gain, policy = findings.gain, findings.policy
    if gain is None or gain.state is GainState.REGRESSING:
        return ""
    if not gain.spans_horizon:
        return (
            "The fitted checkpoints do not span a horizon "
            f"({policy.horizon_tokens:,} tokens) yet, so a plateau cannot be said."
        )
    if gain.state is not GainState.PLATEAU:
        return ""
    return (
        f"{findings.title} is on a plateau for {findings.newest.plateau_horizons} horizons end to "
        f"end; {policy.patience} make a saturation."
    )


def _schedule(findings: Findings) -> str:
    if findings.policy.constant_schedule or not findings.newest.plateau_horizons:
        return ""
    return (
        "The learning rate decays, which makes a plateau of its own: "
        "so this plateau is not called a saturation."
    )


def _min_tokens(findings: Findings) -> str:
    newest, policy = findings.newest, findings.policy
    if newest.tokens >= policy.min_tokens or newest.plateau_horizons < policy.patience:
        return ""
    return f"Nothing is called saturated before {policy.min_tokens:,} tokens (minTokens)."


def _course(findings: Findings) -> str:
    first, newest = findings.checkpoints[0], findings.newest
    shown = [signal for role in COURSE_ROLES for signal in findings.of_role(role)]
    known = [s for s in shown if s.name in first.values and s.name in newest.values]
    if not known:
        return ""
    if first is newest:
        now = ", ".join(f"{s.title} {newest.values[s.name]:.3f}" for s in known)
        return f"At {newest.tokens:,} tokens: {now}."
    moved = ", ".join(
        f"{s.title} {first.values[s.name]:.3f} → {newest.values[s.name]:.3f}" for s in known
    )
    return f"From {first.tokens:,} to {newest.tokens:,} tokens: {moved}."


def _noise(findings: Findings) -> str:
    gain = findings.gain
    if gain is None:
        return ""
    signal = findings.signals[gain.signal]
    return (
        f"The gain's standard error is {_amount(gain.sampling_sd, signal)} from sampling and "
        f"{_amount(gain.checkpoint_sd, signal)} from noise between checkpoints."
    )


def _turn_back(findings: Findings) -> str:
    newest = findings.newest
    watched = [findings.policy.signal, *(s.name for s in findings.of_role(Role.GUARD))]
    lost = (newest.gain(name) for name in watched)
    name = next(gain.signal for gain in lost if gain and gain.state is GainState.REGRESSING)
    signal = findings.signals[name]
    best = (min if signal.better is Better.LOWER else max)(
        (c for c in findings.checkpoints if name in c.values), key=lambda c: c.values[name]
    )
    return (
        "Hold the run and look at learning rate and data mixture: "
        f"{signal.title} was best at {best.tokens:,} tokens."
    )


def _when_undetermined(findings: Findings) -> str:
    newest, gain = findings.newest, findings.gain
    if findings.policy.signal not in findings.signals:
        return "Measure lengths beyond the source context to have a verdict."
    if newest.plateau_horizons and not findings.policy.constant_schedule:
        return "Decide by the numbers: under a decaying learning rate no plateau can be judged."
    if newest.plateau_horizons:
        return "Go on until the plateau has lasted, or the gain shows again."
    if gain is None:
        return "Go on: there are too few checkpoints to judge yet."
    if gain.sampling_sd > gain.checkpoint_sd:
        return "Go on: the gain is lost in sampling noise, which more haystacks would narrow."
    return "Go on: the gain is lost in noise between checkpoints, which more of them would narrow."


def _amount(gain: float, signal: Signal) -> str:
    """A gain on the signal's scale: in percent of a perplexity, else as a plain number."""
    return percent(gain) if signal.scale is Scale.LOG else f"{gain + 0.0:.3g}"


def percent(share: float) -> str:
    """A share, or a gain on a logarithmic scale, in percent with at most two decimals."""
    return f"{round(100 * share, 2) + 0.0:.2f}".rstrip("0").rstrip(".") + " %"
