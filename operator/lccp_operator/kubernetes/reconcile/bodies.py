"""Run objects as the API server returns them: what is read of them before, or instead of, a plan.

Another version may have written them. Who owns the run, and whether it began, is read whatever
else is in status and spec.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lccp.api.conditions import Condition, ConditionType, Reason, ReportedCondition
from lccp.api.labels import BEGAN, REEVALUATE
from lccp.api.objects.conditions import RunConditions
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import FINALIZER, KubernetesRuns
from lccp_operator.kubernetes.workloads.seen import FOREGROUND, ORPHAN
from lccp_operator.observed import Owner
from lccp_operator.plan import invalid_spec
from lccp_operator.plan.acceptance import left_alone

BEGUN = ("installation", "startTime")
MARKS = (*BEGUN, "completionTime")
"""Fields of the status for who owns the run, and whether it began and ended."""

UNREAD_THEN = "nothing is started or judged: use the LCCP that wrote it"


@dataclass(frozen=True)
class Said:
    """What was written about a run object instead of a plan."""

    status: LCCPRunStatus
    left_to: str | None = None
    """The installation that carries out the run."""
    told: RunConditions | None = None
    """What its status now says."""


def purges(body: Object) -> bool:
    """Whether its deletion waits for LCCP."""
    return FINALIZER in body["metadata"].get("finalizers", ())


def held_by(body: Object) -> tuple[str, ...]:
    """Finalizers of other programs, which its deletion waits for too.

    None while the garbage collector lets go of its workloads (`--cascade=orphan`): they stay.
    """
    finalizers = body["metadata"].get("finalizers", ())
    others = (f for f in finalizers if f not in (FINALIZER, FOREGROUND))
    return () if ORPHAN in finalizers else tuple(others)


def asked_anew(body: Object) -> str | None:
    """The evaluations to repeat, in the words of its annotation."""
    asked: str | None = body["metadata"].get("annotations", {}).get(REEVALUATE)
    return asked


def store_name(body: Object) -> str:
    """Name of its store, even if the rest of the run can't be read; empty: it names none."""
    named = body.get("spec", {}).get("checkpoints", {}).get("storeName", "")
    return named if isinstance(named, str) else ""


def deletion_asked_at(body: Object) -> datetime | None:
    """When its deletion was requested, UTC."""
    asked = body["metadata"].get("deletionTimestamp")
    return None if asked is None else datetime.fromisoformat(asked)


def run_or_said(
    body: Object, owner: Owner, made_by: str | None, runs: KubernetesRuns, told: str | None = None
) -> LCCPRun | Said:
    """The run to plan for, or what was written about another's run, or an unreadable one.

    `made_by` is the installation that made its workloads, if they name one; `told` the one to which
    the run is left according to an earlier event. A run whose deletion is requested is planned for
    even with an unreadable status, of which only the marks are used.
    """
    body = _remembered(body)
    marks = marks_of(body)
    other = marks.installation or made_by
    if other is not None and not owner.may_have(other):
        if other != told:
            _tell_left(body, owner, other, runs)
        return Said(marks, other)
    try:
        return LCCPRun.parse(body, _where(body))
    except InvalidInput as error:
        return _in_part(body, marks, str(error), owner, runs)


def _remembered(body: Object) -> Object:
    """With the time at which this run object began, if its status is emptied, and an annotation
    tells it.
    """
    meta, status = body["metadata"], body.get("status", {})
    uid, _, at = meta.get("annotations", {}).get(BEGAN, "").partition(" ")
    if "startTime" in status or uid != meta["uid"] or not _reads("startTime", at):
        return body
    return body | {"status": status | {"startTime": at}}


def _tell_left(body: Object, owner: Owner, other: str, runs: KubernetesRuns) -> None:
    meta = body["metadata"]
    at = datetime.fromisoformat(meta["creationTimestamp"])
    runs.tell(meta, left_alone(meta["namespace"], owner, other, at))


def _in_part(
    body: Object, marks: LCCPRunStatus, sentence: str, owner: Owner, runs: KubernetesRuns
) -> LCCPRun | Said:
    """By its readable part; an unreadable status of a run without an owner counts as missing."""
    begun = any(name in body.get("status", {}) for name in BEGUN)
    rest = {name: part for name, part in body.items() if name != "status"}
    try:
        run = LCCPRun.parse(rest | ({"status": marks.document()} if begun else {}), _where(body))
    except InvalidInput as error:
        return _refused(body, str(error), begun, owner, runs)
    if not begun or run.metadata.deletion_timestamp is not None:
        return run
    return held(body, Reason.OBSERVATION_INCOMPLETE, f"{sentence}: {UNREAD_THEN}", runs)


def _refused(body: Object, sentence: str, begun: bool, owner: Owner, runs: KubernetesRuns) -> Said:
    """Write in the status of an invalid run what is wrong with it, and claim the run."""
    try:
        before = LCCPRunStatus.parse(body.get("status", {}), "status")
    except InvalidInput:
        if begun:
            return held(body, Reason.INVALID_SPEC, f"{sentence}: {UNREAD_THEN}", runs)
        before = LCCPRunStatus()
    meta = body["metadata"]
    status = invalid_spec(before, meta["generation"], sentence, datetime.now(UTC), owner)
    if status != before:
        runs.write(meta, status)
    return Said(status, told=RunConditions(conditions=status.conditions))


def held(body: Object, reason: Reason, sentence: str, runs: KubernetesRuns) -> Said:
    """Write in `Degraded` why the run is held; the rest of an unreadable status stays."""
    told = body.get("status", {})
    known = told.get("conditions", ())
    others = [c for c in known if c.get("type") != ConditionType.DEGRADED]
    before = [c for c in known if c.get("type") == ConditionType.DEGRADED]
    since = (c.last_transition_time for c in _readable(before) if c.status == "True")
    degraded = Condition(
        type=ConditionType.DEGRADED,
        status="True",
        reason=reason,
        message=sentence,
        last_transition_time=next(since, datetime.now(UTC)),
        observed_generation=body["metadata"]["generation"],
    )
    if before != [degraded.document()]:
        conditions = [*others, degraded.document()]
        runs.write_as_it_is(body["metadata"], told | {"conditions": conditions})
    told = RunConditions(conditions=(*_readable(others), degraded))
    return Said(LCCPRunStatus(conditions=(degraded,)), told=told)


def _readable(conditions: list[Object]) -> Iterator[ReportedCondition]:
    for document in conditions:
        with suppress(InvalidInput):
            yield ReportedCondition.parse_stored(document, "")


def marks_of(body: Object) -> LCCPRunStatus:
    """The owner of the run, and whether it began and ended: each mark that can be read."""
    told = body.get("status", {})
    readable = {name: told[name] for name in MARKS if name in told and _reads(name, told[name])}
    return LCCPRunStatus.parse(readable, "status")


def _reads(name: str, value: Any) -> bool:
    try:
        LCCPRunStatus.parse({name: value}, "status")
    except InvalidInput:
        return False
    return True


def _where(body: Object) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"
