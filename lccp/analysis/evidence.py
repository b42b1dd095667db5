"""Why the verdict is what it is, in sentences with numbers, and what to do."""

from collections.abc import Sequence

from lccp.analysis.policy import SCORE_CEILING, Policy
from lccp.analysis.trajectory import NIAH_PPL, NIAH_PPL_GUARD, NIAH_SCORE
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState, VerdictState

NAMES = {
    NIAH_PPL: "NIAH-PPL",
    NIAH_SCORE: "The NIAH score",
    NIAH_PPL_GUARD: "NIAH-PPL within the source context",
}


def evidence(checkpoints: Sequence[CheckpointVerdict], policy: Policy) -> tuple[str, ...]:
    """Sentences, the most important first."""
    if not checkpoints:
        return ("No checkpoint has been evaluated yet.",)
    newest = checkpoints[-1]
    by_signal = {gain.signal: gain for gain in newest.gains}
    signal, guard = by_signal.get(NIAH_PPL), by_signal.get(NIAH_PPL_GUARD)
    main = _too_few(checkpoints, policy) if signal is None else _gain(signal, policy)
    loss = _gain(guard, policy) if guard and guard.state is GainState.REGRESSING else ""
    sentences = (
        *((loss, main) if signal and signal.state is not GainState.REGRESSING else (main, loss)),
        _still_score(newest, by_signal),
        _plateau(newest, signal, policy),
        _schedule(newest, policy),
        _min_tokens(newest, policy),
        _course(checkpoints),
        _noise(signal),
    )
    return tuple(sentence for sentence in sentences if sentence)


def advice(checkpoints: Sequence[CheckpointVerdict], policy: Policy) -> str:
    """What to do, one sentence."""
    if not checkpoints:
        return "Wait for the first evaluation."
    newest = checkpoints[-1]
    match newest.state:
        case VerdictState.REGRESSING:
            return _turn_back(checkpoints)
        case VerdictState.SATURATED:
            return (
                f"Stop here: another {policy.horizon_tokens:,} tokens are expected to gain less "
                f"than {percent(policy.min_gain)}."
            )
        case VerdictState.DECEPTIVELY_SATURATED:
            return "Go on: the NIAH score stands still, but the model still improves."
        case VerdictState.IMPROVING:
            return "Go on: training still pays."
        case VerdictState.UNDETERMINED:
            return _when_undetermined(newest, policy)


def _gain(gain: Gain, policy: Policy) -> str:
    verb, sign = ("gains", 1) if gain.gain >= 0 else ("loses", -1)
    ends = sorted((sign * gain.lower, sign * gain.upper))
    return (
        f"{NAMES[gain.signal]} {verb} {percent(abs(gain.gain))} per {policy.horizon_tokens:,} "
        f"tokens, between {percent(ends[0])} and {percent(ends[1])} "
        f"({percent(policy.confidence)} confidence on each side); the least gain that pays is "
        f"{percent(policy.min_gain)}."
    )


def _too_few(checkpoints: Sequence[CheckpointVerdict], policy: Policy) -> str:
    fitted = sum(c.tokens > max(0, policy.warmup_tokens) for c in checkpoints)
    return f"A gain needs three checkpoints beyond the warm-up; so far there are {fitted}."


def _still_score(newest: CheckpointVerdict, by_signal: dict[str, Gain]) -> str:
    if newest.state is not VerdictState.DECEPTIVELY_SATURATED:
        return ""
    value, score = newest.niah_score or 0.0, by_signal[NIAH_SCORE]
    if value >= SCORE_CEILING:
        return f"The NIAH score is at its ceiling ({value:.3f}), NIAH-PPL is not."
    return (
        f"The NIAH score stands still at {value:.3f} (its gain lies between {score.lower:.3f} and "
        f"{score.upper:.3f}), NIAH-PPL does not."
    )


def _plateau(newest: CheckpointVerdict, signal: Gain | None, policy: Policy) -> str:
    if signal is None or signal.state is GainState.REGRESSING:
        return ""
    if not signal.spans_horizon:
        return (
            "The fitted checkpoints do not span a horizon "
            f"({policy.horizon_tokens:,} tokens) yet, so a plateau cannot be said."
        )
    if signal.state is not GainState.PLATEAU:
        return ""
    return (
        f"NIAH-PPL is on a plateau for {newest.plateau_horizons} horizons end to end; "
        f"{policy.patience} make a saturation."
    )


def _schedule(newest: CheckpointVerdict, policy: Policy) -> str:
    if policy.constant_schedule or not newest.plateau_horizons:
        return ""
    return (
        "The learning rate decays, which makes a plateau of its own: "
        "so this plateau is not called a saturation."
    )


def _min_tokens(newest: CheckpointVerdict, policy: Policy) -> str:
    if newest.tokens >= policy.min_tokens or newest.plateau_horizons < policy.patience:
        return ""
    return f"Nothing is called saturated before {policy.min_tokens:,} tokens (minTokens)."


def _course(checkpoints: Sequence[CheckpointVerdict]) -> str:
    first, newest = checkpoints[0], checkpoints[-1]
    if first is newest:
        return f"The NIAH score is {newest.niah_score:.3f}, NIAH-PPL {newest.niah_ppl:.3f}."
    counts = first.retrieval_heads, newest.retrieval_heads
    heads = "" if counts[0] is None else ", retrieval heads from {} to {}".format(*counts)
    return (
        f"From {first.tokens:,} to {newest.tokens:,} tokens the NIAH score went from "
        f"{first.niah_score:.3f} to {newest.niah_score:.3f}, NIAH-PPL from {first.niah_ppl:.3f} "
        f"to {newest.niah_ppl:.3f}{heads}."
    )


def _noise(signal: Gain | None) -> str:
    if signal is None:
        return ""
    return (
        f"The gain's standard error is {percent(signal.sampling_sd)} from sampling and "
        f"{percent(signal.checkpoint_sd)} from noise between checkpoints."
    )


def _turn_back(checkpoints: Sequence[CheckpointVerdict]) -> str:
    lost = [g for g in checkpoints[-1].gains if g.state is GainState.REGRESSING]
    values = {NIAH_PPL: "niah_ppl", NIAH_PPL_GUARD: "guard_ppl"}
    signal = next(gain.signal for gain in lost if gain.signal in values)
    best = min(checkpoints, key=lambda c: getattr(c, values[signal]))
    return (
        "Hold the run and look at learning rate and data mixture: "
        f"{NAMES[signal]} was best at {best.tokens:,} tokens."
    )


def _when_undetermined(newest: CheckpointVerdict, policy: Policy) -> str:
    if newest.plateau_horizons and not policy.constant_schedule:
        return "Decide by the numbers: under a decaying learning rate no plateau can be judged."
    if newest.plateau_horizons:
        return "Go on until the plateau has lasted, or the gain shows again."
    signal = next((gain for gain in newest.gains if gain.signal == NIAH_PPL), None)
    if signal is None:
        return "Go on: there are too few checkpoints to judge yet."
    if signal.sampling_sd > signal.checkpoint_sd:
        return "Go on: the gain is lost in sampling noise, which more haystacks would narrow."
    return "Go on: the gain is lost in noise between checkpoints, which more of them would narrow."


def percent(share: float) -> str:
    """A share, or a gain on the scale of log-PPL, in percent with at most two decimals."""
    return f"{round(100 * share, 2) + 0.0:.2f}".rstrip("0").rstrip(".") + " %"
