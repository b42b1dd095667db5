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
from lccp_operator.plan.scene import Scene

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


def refusal(scene: Scene) -> Refusal | None:
    """Why the run may not use the store's prefix, or None."""
    held = scene.facts.identity
    where = f"store {scene.spec.checkpoints.store_name}"
    name = f"{scene.run.metadata.namespace}/{scene.run.metadata.name}"
    if held is None:
        problem = "without run.json" if scene.facts.holds_a_run else None
    elif held.digest != scene.run.identity_digest:
        problem = _difference(held, identity_of(scene.run))
    else:
        problem = _not_adopted(scene)
    if problem is None:
        return None
    message = (
        f"{where} already holds a run {name}, {problem}: "
        "give this run another name, or delete that run's objects"
    )
    return Refusal(Reason.STORE_HOLDS_ANOTHER_RUN, message)


def claim(scene: Scene) -> list[ClaimIdentity]:
    return [] if scene.facts.identity else [ClaimIdentity(identity_of(scene.run))]


def accepted(scene: Scene) -> Journal:
    """The journal as this run object's own."""
    uid = scene.run.metadata.uid
    before = scene.journal.accepted
    if before is not None and before.run_uid == uid:
        return scene.noted(pinned=_completed(scene.journal.pinned, scene.offered))
    succeeded = {k: o for k, o in scene.journal.evaluations.items() if o.result == "Succeeded"}
    return scene.noted(
        accepted=Acceptance(
            run_uid=uid, at=scene.now, earlier_attempts=len(scene.journal.attempts)
        ),
        pinned=scene.offered,
        evaluations=succeeded,
        finished_at=None,
    )


def _completed(pinned: Pinned | None, offered: Pinned) -> Pinned:
    """`pinned`, with what an older version did not pin yet."""
    if pinned is None:
        return offered
    return pinned.model_copy(update={"templates": pinned.templates or offered.templates})


def _not_adopted(scene: Scene) -> str | None:
    owner = scene.journal.accepted
    foreign = owner is not None and owner.run_uid != scene.run.metadata.uid
    if scene.spec.checkpoints.adopt or not foreign:
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
