"""The evidence for a plateau and a saturation, in sentences with numbers."""

from lccp.analysis.sentences.findings import Findings
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState


def lines(findings: Findings) -> str:
    """The evidence for each saturation: the current line, or the one that declared it."""
    told = (_line(signal.name, findings) for signal in findings.saturated)
    return " ".join(sentence for sentence in told if sentence)


def _line(name: str, findings: Findings) -> str:
    now = findings.newest_gain(name)
    said = [c for c in findings.checkpoints if _begins(c.gain(name), findings)]
    told = said[-1].gain(name) if said else None
    if told is None or told.line is None:
        return ""
    line, at = told.line, "" if told is now else f" up to {said[-1].tokens:,} tokens"
    held = "" if told is now else "; since then no gain that pays has persisted"
    of = f" of {findings.title_of(name)}" if len(findings.policy.signals) > 1 else ""
    return (
        f"The line{of}{at} through the last {line.horizons} horizons gains "
        f"{findings.amount(line.gain, name)} ± {findings.amount(line.half_width, name)} per "
        f"horizon, at a confidence corrected for repeated looks{held}."
    )


def _begins(gain: Gain | None, findings: Findings) -> bool:
    """A saturation is declared by this gain's own line, not by an earlier one's."""
    if gain is None or not gain.saturated or gain.line is None:
        return False
    return abs(gain.line.gain) + gain.line.half_width < findings.policy.delta(gain.signal)


def plateau(findings: Findings) -> str:
    """How far the leading signal's plateau has come, while it is not a saturation."""
    gain, policy = findings.gain, findings.policy
    if gain is None or gain.saturated or gain.state is GainState.REGRESSING:
        return ""
    if not gain.spans_horizon:
        return (
            "The fitted checkpoints do not span a horizon "
            f"({policy.horizon_tokens:,} tokens) yet, so a plateau cannot be concluded."
        )
    if gain.state is not GainState.PLATEAU:
        return ""
    told = f"Plateau ({plateau_words(findings.newest, policy)})"
    if gain.line is None:
        return f"{told}: a saturation needs one line through {policy.patience} horizons."
    return (
        f"{told}: the line through the last {gain.line.horizons} horizons gains "
        f"{findings.amount(gain.line.gain, policy.signal)} ± "
        f"{findings.amount(gain.line.half_width, policy.signal)} per horizon; for a saturation it "
        f"must lie within ± {findings.amount(policy.delta(policy.signal), policy.signal)}."
    )


def plateau_words(checkpoint: CheckpointVerdict, policy: Policy) -> str:
    """How far a plateau has come: `1 of 2 horizons`."""
    return f"{min(checkpoint.plateau_horizons, policy.patience)} of {policy.patience} horizons"
