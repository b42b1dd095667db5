"""The training states that the trainers of a run object saved, by what they told."""

from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord
from lccp.contract.quantities import TOKENS_MAX
from lccp_operator.facts import Facts
from lccp_operator.plan.context import Context


def newest_saved(context: Context) -> int:
    """Tokens of the newest state, by the last attempt of which that is known; 0: none.

    Only attempts for this run object count: whoever applied it anew trains on from what is left. A
    command is no such request: it is repeated after each interruption.
    """
    facts, journal = context.facts, context.journal
    earlier = 0 if context.by_command else earlier_attempts(context)
    noted = {one.number: one.newest_state for one in journal.attempts}
    own = {*facts.heartbeats, *facts.ends, *noted} - facts.of_branches
    for number in sorted((n for n in own if n > earlier), reverse=True):
        known = (_told_by(facts, number), noted.get(number), _ordered(facts, number))
        if (saved := next((one for one in known if one is not None), None)) is not None:
            return saved
    return 0


def noted_at_end(context: Context, attempt: AttemptRecord) -> int | None:
    """What the journal notes of that at the end of `attempt`, as heartbeats may be deleted later.

    It is no older one than the attempts before told of, although that one may be gone by now: only
    a trainer that has looked for states knows that a newer one was damaged. Of branches and
    importers nothing is noted.
    """
    if attempt.branch is not None or context.spec.source is not None:
        return None
    return min(max(newest_saved(context), context.facts.newest_state or 0), TOKENS_MAX)


def earlier_attempts(context: Context) -> int:
    """The last attempt for an earlier run object, or 0.

    The failures of later ones may be forgiven; what they saved is not.
    """
    accepted = context.acceptance
    own = (one.number for one in context.journal.attempts if one.started_at >= accepted.at)
    return min(accepted.earlier_attempts, min(own, default=accepted.earlier_attempts + 1) - 1)


def _told_by(facts: Facts, attempt: int) -> int | None:
    """Tokens of its newest state by the last of its trainers that looked for states, or saved one
    because it was requested to end.

    Damaged states do not count: they withdraw them.
    """
    for one in reversed([one for one in facts.told if one.attempt == attempt]):
        beat, end = one.heartbeat, one.end
        drained = end is not None and end.result is Cause.DRAINED
        saved = (*(beat.states if beat else ()), *((end.tokens,) if end and drained else ()))
        if saved or (beat is not None and beat.knows_states):
            return max(saved, default=0)
    return None


def _ordered(facts: Facts, attempt: int) -> int | None:
    """Tokens of the state that it has to resume from at least."""
    control = facts.controls.get(attempt)
    return control.newest_state if control is not None else None
