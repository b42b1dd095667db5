"""Why the verdict is what it is, in sentences with numbers."""

from lccp.analysis.policy import CEILING, holds_a_step
from lccp.analysis.rules.gains import FEWEST
from lccp.analysis.rules.noise import CHANCE, CURVED, FEWEST_FOR_MEMORY, SIGNIFICANT, exceeds
from lccp.analysis.rules.patience import MEMORY_HORIZONS
from lccp.analysis.sentences.findings import Findings, joined, percent
from lccp.analysis.sentences.plateaus import lines, plateau
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Gain, GainState, VerdictState
from lccp.contract.signals import Role

HORIZON_SOURCES = {
    "Given": "",
    "Budget": "an eighth of the budget",
    "Guess": "a guess: an eighth of the tokens that were trained so far",
}


def evidence(findings: Findings) -> tuple[str, ...]:
    """Sentences, the most important first."""
    if not findings.checkpoints:
        return ("No checkpoint has been evaluated yet.",)
    gain = findings.gain
    main = _without_gain(findings) if gain is None else _gain(gain, findings)
    losses = " ".join(_gain(loss, findings) for loss in _regressing_guards(findings))
    steady = gain is not None and gain.state is not GainState.REGRESSING
    sentences = (
        _frozen(findings),
        *((losses, main) if steady else (main, losses)),
        _others_saturated(findings),
        _still(findings),
        lines(findings),
        plateau(findings),
        _quorum(findings),
        _looks(findings),
        _schedule(findings),
        _too_short(findings.policy),
        _min_tokens(findings),
        _course(findings),
        _horizon(findings),
        _noise(findings),
        _memory(findings),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _gain(gain: Gain, findings: Findings) -> str:
    policy, name = findings.policy, gain.signal
    verb, sign = ("gains", 1) if gain.gain >= 0 else ("loses", -1)
    ends = sorted((sign * gain.lower, sign * gain.upper))
    return (
        f"{findings.title_of(name)} {verb} {findings.amount(abs(gain.gain), name)} per "
        f"{policy.horizon_tokens:,} tokens, between {findings.amount(ends[0], name)} and "
        f"{findings.amount(ends[1], name)} ({percent(policy.confidence)} confidence on each side); "
        f"the minimum gain that pays is {findings.amount(policy.delta(name), name)}."
    )


def _others_saturated(findings: Findings) -> str:
    """The gains of the signals that make a saturation, if the leading one is not among them."""
    names = [signal.name for signal in findings.saturated]
    if findings.newest.state is not VerdictState.SATURATED or findings.policy.signal in names:
        return ""
    gains = (findings.newest_gain(name) for name in names)
    return " ".join(_gain(gain, findings) for gain in gains if gain is not None)


def _regressing_guards(findings: Findings) -> list[Gain]:
    guards = (findings.newest.gain(signal.name) for signal in findings.of_role(Role.GUARD))
    return [gain for gain in guards if gain and gain.state is GainState.REGRESSING]


def _without_gain(findings: Findings) -> str:
    policy = findings.policy
    if policy.signal not in findings.signals:
        return (
            f"The signal {policy.signal} was not measured: no length exceeds the source "
            "context, or its probe is off."
        )
    fitted = findings.fitted
    if findings.horizon_is_far:
        return (
            f"The checkpoints after the warm-up span {fitted[-1] - fitted[0]:,} tokens, less than "
            f"a tenth of the horizon of {policy.horizon_tokens:,} tokens: what a horizon gains "
            "cannot be told yet."
        )
    if len(fitted) >= FEWEST:
        return (
            f"{findings.title} was measured on one cluster of samples, so its sampling noise is "
            "unknown: evaluate with at least two haystacks."
        )
    return f"A gain needs three checkpoints after the warm-up; so far there are {len(fitted)}."


def _frozen(findings: Findings) -> str:
    if not findings.stands_still:
        return ""
    return (
        "Every signal has the same numbers at the newest three checkpoints: the weights do not "
        "move, so nothing can be concluded about training."
    )


def _still(findings: Findings) -> str:
    newest = findings.newest
    if newest.state is not VerdictState.DECEPTIVELY_SATURATED:
        return ""
    signal = findings.standing_ceiling
    if signal is None:
        return ""
    others = joined(other.title for other in findings.improving)
    one = len(findings.improving) == 1
    value, gain = findings.newest_value(signal.name), findings.newest_gain(signal.name)
    assert value is not None  # it stands still
    if gain is None or value >= CEILING:
        are = "is" if one else "are"
        return f"The {signal.title} is at its ceiling ({value:.3f}), {others} {are} not."
    return (
        f"The {signal.title} is flat at {value:.3f} (its gain lies between "
        f"{gain.lower:.3f} and {gain.upper:.3f}), {others} {'does' if one else 'do'} not."
    )


def _quorum(findings: Findings) -> str:
    if len(findings.policy.signals) < 2:
        return ""
    done = [signal.title for signal in findings.saturated]
    named = f" ({', '.join(done)})" if done else ""
    return (
        f"{len(done)} of {len(findings.policy.signals)} primary signals are saturated{named}; "
        f"the run is with {findings.policy.needed}."
    )


def _looks(findings: Findings) -> str:
    if not findings.primary_looks:
        return ""
    several = len(findings.primary_looks) > 1
    return (
        f"{joined(signal.title for signal in findings.primary_looks)} "
        f"{'were' if several else 'was'} measured with a preset for a first look, which decides "
        f"nothing, so {'they are' if several else 'it is'} never judged saturated."
    )


def _schedule(findings: Findings) -> str:
    if findings.policy.constant_schedule or not findings.newest.plateau_horizons:
        return ""
    return (
        "The learning rate decays, which causes a plateau of its own, so this plateau is not "
        "judged a saturation."
    )


def _too_short(policy: Policy) -> str:
    if holds_a_step(policy):
        return ""
    return (
        f"The horizon of {policy.horizon_tokens:,} tokens is shorter than a step of training, "
        f"{policy.rounding_tokens + 1:,} tokens, so nothing is judged saturated."
    )


def _min_tokens(findings: Findings) -> str:
    newest, policy = findings.newest, findings.policy
    if newest.tokens >= policy.min_tokens or newest.plateau_horizons < policy.patience:
        return ""
    return f"Nothing is judged saturated before {policy.min_tokens:,} tokens (minTokens)."


def _course(findings: Findings) -> str:
    first, newest = findings.checkpoints[0], findings.newest
    shown = [*findings.of_role(Role.CEILING), *findings.primaries]
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


def _horizon(findings: Findings) -> str:
    """The source of the horizon, and the gain that does not depend on it."""
    policy, gain = findings.policy, findings.gain
    if policy.horizon_source == "Guess" and not findings.newest.tokens:
        return "No horizon is known before the first trained checkpoint."
    source = HORIZON_SOURCES[policy.horizon_source]
    told = f"The horizon of {policy.horizon_tokens:,} tokens is {source}. " if source else ""
    doubled = (
        ""
        if gain is None
        else "Whatever the horizon, the last doubling of tokens gained "
        f"{findings.amount(gain.per_doubling, gain.signal)}."
    )
    return (told + doubled).strip()


def _noise(findings: Findings) -> str:
    gain = findings.gain
    if gain is None:
        return ""
    return (
        f"The gain's standard error is {findings.amount(gain.sampling_sd, gain.signal)} from "
        f"sampling and {findings.amount(gain.checkpoint_sd, gain.signal)} from noise between "
        "checkpoints."
    )


def _memory(findings: Findings) -> str:
    """Noise or curvature: how the distances between checkpoints grow."""
    gain = findings.gain
    if gain is None or gain.memory_ratio is None:
        return ""
    ratio, count = gain.memory_ratio, _compared(findings)
    if exceeds(ratio, count, CURVED, CHANCE):
        return (
            f"Over the last {MEMORY_HORIZONS:g} horizons the course bends (ratio {ratio:.1f}; "
            f"noise makes up to {CURVED:g}): the distances between its checkpoints show the curve "
            "more than noise."
        )
    if exceeds(ratio, count, 1.0, SIGNIFICANT):
        return (
            f"The noise between checkpoints has a memory (ratio {ratio:.1f}; 1 is none): losses "
            "and plateaus are judged by fewer checkpoints than there are."
        )
    return ""


def _compared(findings: Findings) -> int:
    """Checkpoints that the ratio is computed from."""
    since = findings.newest.tokens - MEMORY_HORIZONS * findings.policy.horizon_tokens
    fitted = [c for c in findings.checkpoints if c.tokens > max(0, findings.policy.warmup_tokens)]
    return max(FEWEST_FOR_MEMORY, sum(c.tokens >= since for c in fitted))
