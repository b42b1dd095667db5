"""Findings about a run, mainly its training and evaluations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from lccp.api.causes import MEANINGS, Cause
from lccp.api.conditions import REMEDIES, ConditionType, Reason
from lccp.api.identity import is_given
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.training import Heartbeat
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan import attempts, evaluations
from lccp_operator.plan.context import Context
from lccp_operator.plan.goals import Aim, Goal, attempt_name
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import TERMINAL, Phase, WorkloadState
from lccp_operator.workloads.training import Training

NAMED = 4
WHOLE_GANGS = (
    "its peers wait for it, and occupy their nodes: topology.gangTimeoutSeconds limits that; "
    "topology.queueName with Kueue, or a scheduler of whole gangs, admits all pods or none"
)
TOGETHER = (
    "its processes load their libraries and wait for one another; if this lasts, a node of theirs "
    "is gone, or they can't reach the store or one another"
)
ALONE = "if this lasts, its node is gone, or its importer can't reach the store"
NAMESPACE_GOES = "the run's namespace is being deleted: no attempt is started in it"
OF_ATTEMPTS = ("model", "data", "training", "source", "topology", "checkpoints")
"""Parts of the spec by which an attempt is carried out; evaluators report on others."""

EVALUATORS_IMAGE = "evaluation.image"


@dataclass(frozen=True)
class Finding:
    """The value of a condition, with its reason."""

    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str = ""


Findings = Mapping[ConditionType, Finding]


def training(context: Context, goal: Goal) -> Finding:
    """What the training does or waits for, with what is amiss beside it."""
    found, gang = _training(context, goal), context.gang
    if found.reason is not Reason.RUNNING or gang is None or gang.trouble is None:
        return found
    return replace(found, message=f"{found.message}; {gang.trouble.message}")


def _training(context: Context, goal: Goal) -> Finding:
    attempt, gang = context.open_attempt, context.gang
    if attempt is None:
        return _no_attempt(context, goal)
    name = attempt_name(attempt)
    if attempt.drain_asked_at is not None and not (gang and gang.trouble and gang.pods_ended):
        return Finding("True", Reason.DRAINING, f"{name} saves its state and exits, as requested")
    if gang is None or gang.phase is Phase.QUEUED or not gang.begun:
        return _waiting(context, Training.of(attempt), gang, name)
    beat = attempts.beat(context)
    starting = beat is None or beat.phase == "Starting"
    if gang.pods_begun < gang.pods_expected and (starting or gang.trouble is not None):
        parts = f"{name}, {gang.pods_begun} of {gang.pods_expected} pods"
        found = _waiting(context, Training.of(attempt), gang, parts)
        return replace(found, message=f"{found.message}; {WHOLE_GANGS}") if starting else found
    if beat is None or beat.phase == "Starting":
        return Finding("True", Reason.STARTING, f"{name} {_start(context, beat, gang)}")
    if context.spec.source is not None:
        seeks = f"looks for checkpoints in {context.spec.source.path}"
        work = f"converts or copies {beat.imports}" if beat.imports else seeks
        return Finding("True", Reason.RUNNING, f"{name} {work}")
    if beat.phase == "Training":
        return Finding("True", Reason.RUNNING, f"{name} is training")
    return Finding("True", Reason.SAVING, f"{name} saves a checkpoint or its state")


def _start(context: Context, beat: Heartbeat | None, gang: WorkloadState) -> str:
    if beat is None:
        return gang.unheard(TOGETHER if context.spec.source is None else ALONE)
    if beat.fetched is None:
        return "loads model, data and state"
    tenths = 10 * beat.fetched.size // max(1, beat.fetched.total)
    size = f"{beat.fetched.total / 1e9:.1f} GB"
    return f"fetches model and documents: {10 * tenths} % of {size} are on its first node"


def _no_attempt(context: Context, goal: Goal) -> Finding:
    last = context.last_attempt
    if goal.aim is not Aim.TRAIN:
        return Finding("False", goal.reason, goal.message)
    if context.namespace_terminating:
        return Finding("False", Reason.PENDING, NAMESPACE_GOES)
    if last is None:
        return Finding("False", Reason.PENDING, "the first attempt waits for an older gang to end")
    told = ended(context, last)
    if attempts.old_gang_lives(context):
        return Finding("False", Reason.RESTARTING, f"{told}; its last pods are ending")
    return Finding("False", Reason.BACKING_OFF, f"{told}; {attempts.why_it_waits(context)}")


def ended(context: Context, last: AttemptRecord) -> str:
    """How the attempt ended; if its store refused it, what would mend that."""
    name = attempt_name(last)
    refused = last.cause is Cause.STORE_REFUSED
    return _refused(context, name, last.message) if refused else f"{name} {last.message}"


def refused_evaluations(context: Context) -> list[str]:
    """Evaluations that the store refused, with what would mend that, until a try of theirs runs."""
    outcomes = ((key, context.outcome(key)) for key in evaluations.outstanding(context))
    running = {workload.key for workload, state in context.evaluations.items() if state.begun}
    return [
        _refused(context, evaluation(key), outcome.message)
        for key, outcome in outcomes
        if outcome is not None and outcome.cause is Cause.STORE_REFUSED and key not in running
    ]


def _refused(context: Context, name: str, message: str) -> str:
    sentence, secret = MEANINGS[Cause.STORE_REFUSED].sentence, context.spec.checkpoints.secret_ref
    what = f"the keys in Secret {secret.name} (checkpoints.secretRef)" if secret else "its requests"
    told = f"{name} {sentence}" if message == sentence else f"{name} {sentence}: {message}"
    return f"{told}; it goes on by itself once the store accepts {what}"


def _waiting(
    context: Context, workload: Workload, state: WorkloadState | None, name: str
) -> Finding:
    trouble = context.rejected.get(workload) if state is None else state.trouble
    if trouble is not None:
        remedy = REMEDIES.get(trouble.reason, "")
        remedy = remedy.format(pods=workload.pods_field, image=workload.image_field)
        message = f"{name}: {trouble.message}"
        return Finding("False", trouble.reason, f"{message}: {remedy}" if remedy else message)
    if state is None:
        return Finding("False", Reason.STARTING, f"{name} is being created")
    if state.phase is Phase.QUEUED:
        message = f"{name} waits in its queue: {REMEDIES[Reason.QUEUED]}"
        return Finding("False", Reason.QUEUED, message)
    if all(pod.phase in TERMINAL for pod in state.pods) and state.pods:
        return Finding("True", Reason.RUNNING, f"{name}: its pods have ended")
    return Finding("False", Reason.STARTING, f"{name}: its pods are starting")


def evaluating(context: Context) -> Finding:
    """What the evaluations do or wait for."""
    outstanding = evaluations.outstanding(context)
    live = [(workload, state) for workload, state in context.evaluations.items() if state.live]
    begun = [workload.key for workload, state in live if state.begun]
    held = _held_up(context, outstanding)
    if begun:
        told = [f"evaluates {_named(begun)}", *islice(evaluations.unheard(context), NAMED)]
        told += [one.message for one in held] + _beside(live)
        return Finding("True", Reason.RUNNING, "; ".join(told))
    if held:
        return replace(held[0], message="; ".join(one.message for one in held))
    if live:
        workload, state = live[0]
        return _waiting(context, workload, state, evaluation(workload.key))
    if outstanding and len(evaluations.backing_off(context)) == len(outstanding):
        return Finding("False", Reason.BACKING_OFF, _next_try(context, outstanding[0]))
    if outstanding:
        waits = "wait" if len(outstanding) > 1 else "waits"
        return Finding("False", Reason.PENDING, f"{_named(outstanding)} {waits}")
    if not context.facts.checkpoints:
        return Finding("False", Reason.PENDING, "there is no checkpoint yet")
    return Finding("False", Reason.UP_TO_DATE, "all checkpoints are evaluated")


def _beside(live: Iterable[tuple[Evaluation, WorkloadState]]) -> list[str]:
    """What is amiss in pods whose evaluator works, such as another container's image."""
    troubles = ((workload, state.trouble) for workload, state in live if state.begun)
    told = (f"{evaluation(w.key)}: {trouble.message}" for w, trouble in troubles if trouble)
    return list(islice(told, NAMED))


def _held_up(context: Context, due: list[EvaluationKey]) -> list[Finding]:
    """What keeps evaluations that are `due` from starting, the oldest first."""
    told = map(evaluations.told_of_heard, evaluations.still_heard(context))
    waiting = {w: s for w, s in context.evaluations.items() if s.live and not s.begun and s.trouble}
    rejected = {c: None for c in context.rejected if isinstance(c, Evaluation) and c.key in due}
    return [
        _waiting(context, workload, state, evaluation(workload.key))
        for workload, state in [*waiting.items(), *rejected.items()][:NAMED]
    ] + [Finding("False", Reason.PENDING, one) for one in islice(told, NAMED)]


def evaluation(key: EvaluationKey) -> str:
    """The evaluation in words."""
    return f"evaluation of {evaluations.name_of(key)}"


def _next_try(context: Context, key: EvaluationKey) -> str:
    outcome = context.outcome(key)
    told = outcome.message if outcome is not None else ""
    return f"{evaluation(key)}: {told}; the next try starts after a wait"


def _named(keys: list[EvaluationKey]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(evaluations.name_of(key) for key in keys[:NAMED]) + more


def unknown_fields(context: Context) -> list[str]:
    """Fields set by the run that older images ignore: which images, and the remedy."""
    trains = context.spec.source is None
    who, does = ("trainer", "trains") if trains else ("importer", "imports")
    image = "topology.image" if trains else EVALUATORS_IMAGE
    return [
        *(_left_out(who, path, does, image) for path in _given(context, _of_the_attempt(context))),
        *(
            _left_out("evaluator", path, "measures", EVALUATORS_IMAGE)
            for path in _given(context, _of_the_evaluator(context))
        ),
    ]


def _of_the_attempt(context: Context) -> list[str]:
    beat = context.facts.heartbeat
    unknown = beat.unknown_fields if beat is not None else ()
    return [path for path in unknown if path.partition(".")[0] in OF_ATTEMPTS]


def _of_the_evaluator(context: Context) -> tuple[str, ...]:
    reports = context.facts.reports
    newest = max((key for key in reports if key[1] == INTRINSIC), default=None)
    return () if newest is None else reports[newest].unknown_fields


def _given(context: Context, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if is_given(context.spec, path)]


def _left_out(who: str, path: str, does: str, image: str) -> str:
    return (
        f"the {who} does not know {path} and {does} without it, since the run keeps the image that "
        f"it started with: name a newer one in {image}, or remove the field"
    )
