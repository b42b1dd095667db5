"""A small version of the context in which a plan's policies decide."""

from datetime import timedelta
from typing import Any

from operator_world import START, a_small_run

from lccp.api.causes import Cause
from lccp.api.objects.journal import Acceptance, AttemptRecord, Journal, Pinned
from lccp_operator.facts import Facts
from lccp_operator.observed import Owner
from lccp_operator.plan.context import Context

ACCEPTED = Acceptance(run_uid="run-1", at=START)
NOW = START + timedelta(hours=1)


def an_attempt(number: int, cause: Cause | None = None, **fields: Any) -> AttemptRecord:
    """Begun at the START, and ended by now if it has a `cause`."""
    fields = {"ended_at": NOW if cause else None, "counted": cause is Cause.INTERNAL, **fields}
    return AttemptRecord(number=number, started_at=START, cause=cause, **fields)


def a_context(
    *attempts: AttemptRecord,
    spec: dict[str, Any] | None = None,
    journal: dict[str, Any] | None = None,
    **parts: Any,
) -> Context:
    """The context of a run with these attempts, accepted at the START."""
    seen = {
        "facts": Facts(),
        "workloads": {},
        "rejected": {},
        "offered": Pinned(trainer_image="trainer:2", evaluator_image="evaluator:2"),
        "owner": Owner(),
        "now": NOW,
        "journal": Journal(accepted=ACCEPTED, attempts=attempts, **(journal or {})),
    }
    return Context(a_small_run(**(spec or {})), **(seen | parts))
