"""The states of a verdict: in words, in colours, and as stretches of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from lccp.api.objects.verdict import CheckpointVerdict, VerdictState

STATE_WORDS = {
    VerdictState.IMPROVING: "improving",
    VerdictState.DECEPTIVELY_SATURATED: "deceptively saturated",
    VerdictState.SATURATED: "saturated",
    VerdictState.REGRESSING: "regressing",
    VerdictState.UNDETERMINED: "undetermined",
}
STATE_COLOURS = {
    VerdictState.IMPROVING: "#2f9e5d",
    VerdictState.DECEPTIVELY_SATURATED: "#d9a31a",
    VerdictState.SATURATED: "#5a6be0",
    VerdictState.REGRESSING: "#d54747",
    VerdictState.UNDETERMINED: "#8c9bab",
}


@dataclass(frozen=True)
class VerdictPhase:
    """A stretch with one verdict, in tokens; borders are midway between checkpoints."""

    state: VerdictState
    start: float
    end: float


def phases(checkpoints: Sequence[CheckpointVerdict]) -> tuple[VerdictPhase, ...]:
    """The run's phases, oldest first, from the first checkpoint to the last."""
    if not checkpoints:
        return ()
    tokens = [c.tokens for c in checkpoints]
    borders = [tokens[0], *((a + b) / 2 for a, b in pairwise(tokens)), tokens[-1]]
    groups = groupby(range(len(tokens)), key=lambda i: checkpoints[i].state)
    spans = ((state, list(members)) for state, members in groups)
    return tuple(VerdictPhase(state, borders[m[0]], borders[m[-1] + 1]) for state, m in spans)
