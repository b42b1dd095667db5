"""The states of a verdict in words."""

from lccp.api.objects.verdict import VerdictState

STATE_WORDS = {
    VerdictState.IMPROVING: "improving",
    VerdictState.DECEPTIVELY_SATURATED: "deceptively saturated",
    VerdictState.SATURATED: "saturated",
    VerdictState.REGRESSING: "regressing",
    VerdictState.UNDETERMINED: "undetermined",
}
