"""Metrics of signals: values, by checkpoint, gains and their states."""

from collections.abc import Callable
from typing import Literal

from lccp.api.labels import is_of_branch
from lccp.api.objects.verdict import Gain, GainState
from lccp_exporter.facts import WATCHED_MAX, ExportedFacts
from lccp_exporter.measured import SignalKey
from lccp_exporter.metrics.metric import RunMetric, Samples, by_tokens, one, one_hot

SIGNALS_MAX = 64
"""Signals of a run that have a series; more are only in the JSON API."""
CHECKPOINTS_MAX = 32
BY_CHECKPOINT_MAX = 64
OF_BRANCHES_MAX = 28
"""Series of one run: the newest branches, all watched signals."""


def _values(facts: ExportedFacts) -> dict[SignalKey, float]:
    """But for those of branches, which have metrics of their own."""
    return {k: value for k, value in facts.newest_values().items() if not is_of_branch(k[0])}


def _newest(facts: ExportedFacts) -> Samples:
    values = _values(facts)
    ordered = sorted(values, key=lambda key: (key[0] not in facts.watched, key))
    return [(key, values[key]) for key in ordered[:SIGNALS_MAX]]


def _left_out(facts: ExportedFacts) -> float:
    return float(max(0, len(_values(facts)) - SIGNALS_MAX))


def _by_checkpoint(facts: ExportedFacts) -> Samples:
    """The newest checkpoints, fewer if there are many signals."""
    count = min(CHECKPOINTS_MAX, BY_CHECKPOINT_MAX // max(1, len(facts.watched)))
    return by_tokens(facts.values_by_checkpoint(facts.watched), count)


def _of_branches(facts: ExportedFacts) -> Samples:
    count = OF_BRANCHES_MAX // max(1, len(facts.watched))
    return by_tokens(facts.values_of_branches(facts.watched), count)


def _gains(facts: ExportedFacts) -> list[Gain]:
    """Of watched signals, at the newest checkpoint."""
    return list(facts.judged.gains) if facts.judged else []


def _gain(value: Literal["gain", "lower", "upper"]) -> Callable[[ExportedFacts], Samples]:
    return lambda facts: [((gain.signal,), getattr(gain, value)) for gain in _gains(facts)]


def _states(facts: ExportedFacts) -> Samples:
    return [
        ((gain.signal, *labels), value)
        for gain in _gains(facts)
        for labels, value in one_hot(GainState, gain.state)
    ]


SIGNALS = (
    RunMetric(
        "lccp_signal",
        "Value of a signal at the newest checkpoint where it was measured, in its unit; band is "
        "extension (beyond the source context), guard (within it) or empty.",
        _newest,
        ("signal", "band"),
        most=SIGNALS_MAX,
    ),
    RunMetric(
        "lccp_signals_left_out",
        f"Signals beyond the first {SIGNALS_MAX}, which have no series; the JSON API has them.",
        one(_left_out),
    ),
    RunMetric(
        "lccp_checkpoint_signal",
        f"Value of a watched signal by checkpoint (tokens in 15 digits), the last "
        f"{CHECKPOINTS_MAX}, or fewer to stay within {BY_CHECKPOINT_MAX} series. At most "
        f"{WATCHED_MAX} signals are watched: the policy's, primary ones, ceilings, guards, those "
        "that alerts are about, then those of kubectl's columns.",
        _by_checkpoint,
        ("signal", "band", "checkpoint_tokens"),
        most=BY_CHECKPOINT_MAX,
    ),
    RunMetric(
        "lccp_branch_signal",
        "Value of a watched signal at the end of an anneal branch, by the tokens of the run at "
        f"which the branch began (15 digits): {OF_BRANCHES_MAX} series of the newest branches.",
        _of_branches,
        ("signal", "band", "branch_tokens"),
        most=OF_BRANCHES_MAX,
    ),
    RunMetric(
        "lccp_signal_gain",
        "Gain of a watched signal over one horizon at the newest checkpoint; log scale for "
        "perplexities, positive is better.",
        _gain("gain"),
        ("signal",),
        most=WATCHED_MAX,
    ),
    RunMetric(
        "lccp_signal_gain_lower",
        "Lower end of the gain's interval.",
        _gain("lower"),
        ("signal",),
        most=WATCHED_MAX,
    ),
    RunMetric(
        "lccp_signal_gain_upper",
        "Upper end of the gain's interval.",
        _gain("upper"),
        ("signal",),
        most=WATCHED_MAX,
    ),
    RunMetric(
        "lccp_signal_state",
        "1 for the state that follows from the interval of a watched signal's gain (Improving, "
        "Plateau, Regressing, Undetermined), 0 for the others.",
        _states,
        ("signal", "state"),
        most=WATCHED_MAX * len(GainState),
    ),
)
