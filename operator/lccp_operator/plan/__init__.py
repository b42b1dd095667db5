"""The reconcile core: what follows from one look at a run. No I/O, no clock, no randomness.

The journal is brought up to date with what is seen and decided, one policy after another; then the
intents make the world what the journal says. That can be interrupted anywhere: the next look heals
it.
"""

from dataclasses import replace
from datetime import datetime

from lccp.api.conditions import ConditionType, Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.intents import Intent, Plan, RecordJournal, SetFinalizer, WriteVerdict
from lccp_operator.observed import ChildState, Facts, Observed, Unknown
from lccp_operator.packed import judge_packed
from lccp_operator.plan import (
    acceptance,
    attempts,
    conditions,
    deletion,
    evaluations,
    events,
    finish,
    status,
    stops,
)
from lccp_operator.plan.acceptance import Refusal
from lccp_operator.plan.goals import goal
from lccp_operator.plan.scene import Scene
from lccp_operator.plan.stops import Judge

__all__ = ["ended", "invalid_spec", "plan"]

UNKNOWN_LOOK_AGAIN_SECONDS = 5.0


def plan(run: LCCPRun, observed: Observed, now: datetime, judge: Judge = judge_packed) -> Plan:
    """What follows from what was observed of `run` at `now` (UTC).

    `judge` is the analysis; an edge may pass one that remembers its last answer.
    """
    if run.metadata.deletion_timestamp is not None:
        return deletion.planned(run, observed, now)
    if isinstance(observed.store, Unknown):
        return _uncertain(run, observed.store, now)
    if isinstance(observed.children, Unknown):
        return _uncertain(run, observed.children, now)
    scene = _scene(run, observed.store.value, observed.children.value, observed, now)
    refusal = acceptance.refusal(scene)
    if refusal is not None:
        return _refused(scene, refusal)
    return _accepted(scene, observed, judge)


def _scene(
    run: LCCPRun,
    facts: Facts,
    children: tuple[ChildState, ...],
    observed: Observed,
    now: datetime,
) -> Scene:
    return Scene(
        run,
        facts,
        children,
        observed.rejected,
        observed.offered,
        now,
        journal=facts.journal,
        told=observed.told,
    )


def _accepted(scene: Scene, observed: Observed, judge: Judge) -> Plan:
    seen = scene.after(acceptance.accepted, attempts.settled, evaluations.settled)
    judged = replace(seen, verdict=stops.verdict(seen, judge))
    final = judged.after(stops.decided, attempts.steered, finish.noted)
    aim = goal(final)
    return Plan(
        intents=(*_finalizer(final, observed), *_intents(final)),
        status=status.projected(final, aim),
        verdict=final.verdict,
        events=events.of(final, aim),
        look_again_after_seconds=finish.seconds_to_next_look(final),
        due_after_seconds=finish.seconds_to_due(final),
        at_rest=finish.at_rest(final),
    )


def _finalizer(scene: Scene, observed: Observed) -> list[Intent]:
    wanted = deletion.finalizer_wanted(scene.run)
    return [] if observed.finalizer == wanted else [SetFinalizer(wanted)]


def _intents(scene: Scene) -> list[Intent]:
    return [
        *acceptance.claim(scene),
        *_record(scene, scene.facts),
        *attempts.intents(scene),
        *evaluations.intents(scene),
        *_verdict(scene, scene.facts),
        *finish.intents(scene),
    ]


def _record(scene: Scene, facts: Facts) -> list[Intent]:
    if scene.journal == facts.journal:
        return []
    return [RecordJournal(scene.journal, facts.journal_etag)]


def _verdict(scene: Scene, facts: Facts) -> list[Intent]:
    before, now = facts.verdict, scene.verdict
    if now is None or before == now or (before and before.to_json() == now.to_json()):
        return []
    return [WriteVerdict(now)]


def ended(run: LCCPRun, observed: Observed, now: datetime) -> tuple[Intent, ...]:
    """The record of what is seen to have ended, for an edge that ends and begins nothing more."""
    if isinstance(observed.store, Unknown) or isinstance(observed.children, Unknown):
        return ()
    scene = _scene(run, observed.store.value, observed.children.value, observed, now)
    if acceptance.refusal(scene) is not None:
        return ()
    seen = scene.after(acceptance.accepted, attempts.settled, evaluations.settled)
    return tuple(_record(seen, scene.facts))


def invalid_spec(
    before: LCCPRunStatus | None, generation: int, sentence: str, now: datetime
) -> LCCPRunStatus:
    """The status of a run object that is no valid LCCPRun; `sentence` says what is wrong."""
    return _refused_status(before, generation, Refusal(Reason.INVALID_SPEC, sentence), now)


def _refused(scene: Scene, refusal: Refusal) -> Plan:
    return Plan(
        intents=(),
        status=_refused_status(scene.run.status, scene.run.metadata.generation, refusal, scene.now),
        events=events.of_refusal(scene, refusal),
        at_rest=True,
    )


def _refused_status(
    before: LCCPRunStatus | None, generation: int, refusal: Refusal, now: datetime
) -> LCCPRunStatus:
    return status.held(before, generation, conditions.refused(refusal), now)


def _uncertain(run: LCCPRun, part: Unknown, now: datetime) -> Plan:
    before = run.status.conditions if run.status else ()
    refused = (ConditionType.ACCEPTED,) if part.reason is Reason.UNKNOWN_STORE else ()
    findings = conditions.uncertain(before, refused, part.reason, part.why)
    return Plan(
        intents=(),
        status=status.held(run.status, run.metadata.generation, findings, now),
        look_again_after_seconds=None if part.watched else UNKNOWN_LOOK_AGAIN_SECONDS,
    )
