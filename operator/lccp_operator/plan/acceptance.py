"""Acceptance: whether the run may use what the store holds under its name, and since when it does.

A new run object of the same identity (deleted and applied again; on a laptop, the command started
again) adopts the store's run. Failures of earlier objects then no longer count: a person asked
again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lccp.api.conditions import Reason
from lccp.api.objects.journal import Acceptance, Journal, Pinned
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRun
from lccp_operator.intents import ClaimIdentity
from lccp_operator.plan.context import Context

DIFFERENCES_SHOWN = 3
VALUE_LENGTH_MAX = 60


@dataclass(frozen=True)
class Refusal:
    """Why a run is not accepted, and what would be right."""

    reason: Reason
    message: str


def identity_of(run: LCCPRun) -> RunIdentity:
    return RunIdentity(
        namespace=run.metadata.namespace,
        name=run.metadata.name,
        digest=run.identity_digest,
        immutable=run.spec.immutable(),
    )


def refusal(context: Context) -> Refusal | None:
    """Why the run may not use the store's prefix, or None."""
    held = context.facts.identity
    where = f"store {context.spec.checkpoints.store_name}"
    name = f"{context.run.metadata.namespace}/{context.run.metadata.name}"
    if held is None:
        problem = "without run.json" if context.facts.holds_a_run else None
    elif held.digest != context.run.identity_digest:
        problem = _difference(held, identity_of(context.run))
    else:
        problem = _not_adopted(context)
    if problem is None:
        return None
    message = (
        f"{where} already holds a run {name}, {problem}: "
        "give this run another name, or delete that run's objects"
    )
    return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, message)


def claim(context: Context) -> list[ClaimIdentity]:
    return [] if context.facts.identity else [ClaimIdentity(identity_of(context.run))]


def accepted(context: Context) -> Journal:
    """The journal as this run object's own."""
    uid = context.run.metadata.uid
    before = context.journal.accepted
    if before is not None and before.run_uid == uid:
        return context.noted(pinned=_completed(context.journal.pinned, context.offered))
    succeeded = {k: o for k, o in context.journal.evaluations.items() if o.result == "Succeeded"}
    return context.noted(
        accepted=Acceptance(
            run_uid=uid, at=context.now, earlier_attempts=len(context.journal.attempts)
        ),
        pinned=context.offered,
        evaluations=succeeded,
        finished_at=None,
    )


def _completed(pinned: Pinned | None, offered: Pinned) -> Pinned:
    """`pinned`, with what an older version did not pin yet."""
    if pinned is None:
        return offered
    return pinned.model_copy(update={"templates": pinned.templates or offered.templates})


def _not_adopted(context: Context) -> str | None:
    owner = context.journal.accepted
    foreign = owner is not None and owner.run_uid != context.run.metadata.uid
    if context.spec.checkpoints.adopt or not foreign:
        return None
    return "the same one, but checkpoints.adopt is false, so it does not go on with it"


def _difference(there: RunIdentity, here: RunIdentity) -> str:
    found = [
        f"{path} is {_shown(old)} there and {_shown(new)} here"
        for path, old, new in _differences(there.immutable, here.immutable)
    ]
    more = f" ({len(found) - DIFFERENCES_SHOWN} more)" if len(found) > DIFFERENCES_SHOWN else ""
    return f"another one ({'; '.join(found[:DIFFERENCES_SHOWN])}{more})"


def _differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differences(old.get(key), new.get(key), below)
    elif old != new:
        yield path, old, new


def _shown(value: Any) -> str:
    text = "not set" if value is None else repr(value)
    return text if len(text) <= VALUE_LENGTH_MAX else f"{text[: VALUE_LENGTH_MAX - 1]}…"
