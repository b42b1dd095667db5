"""Evaluations: one for every complete checkpoint, oldest first; a failure is never an evaluation.

How the evaluation of a checkpoint ended is in the journal, under the checkpoint's digest, before
the child that it comes from is deleted.
"""

from enum import StrEnum

from lccp.api.labels import tokens_key
from lccp.api.objects.journal import Cause, EvaluationOutcome, Journal
from lccp_operator.children import Evaluation
from lccp_operator.intents import ApplyChild, DeleteChild, Intent
from lccp_operator.observed import ChildState
from lccp_operator.packed import PackedReport
from lccp_operator.plan import backoff
from lccp_operator.plan.causes import Ending, of_evaluation
from lccp_operator.plan.scene import Scene


class Stage(StrEnum):
    """Where the evaluation of a checkpoint is."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


def settled(scene: Scene) -> Journal:
    """The journal with the outcomes that are seen."""
    seen = {
        tokens_key(tokens): outcome
        for tokens in scene.facts.checkpoints
        if (outcome := _outcome(scene, tokens)) is not None
    }
    return scene.noted(evaluations=dict(sorted((scene.journal.evaluations | seen).items())))


def stage(scene: Scene, tokens: int) -> Stage:
    """Where the evaluation of the checkpoint at `tokens` is, by the journal and its child."""
    outcome, child = scene.outcome(tokens), scene.evaluation(tokens)
    if outcome is not None and outcome.result == "Succeeded":
        return Stage.SUCCEEDED
    if outcome is not None and _exhausted(scene, outcome):
        return Stage.FAILED
    return Stage.RUNNING if child is not None and child[1].live else Stage.PENDING


def outstanding(scene: Scene) -> list[int]:
    """Checkpoints whose evaluation is still to end, oldest first."""
    open_stages = (Stage.PENDING, Stage.RUNNING)
    return [t for t in sorted(scene.facts.checkpoints) if stage(scene, t) in open_stages]


def failed(scene: Scene) -> list[int]:
    """Checkpoints whose evaluation failed for good, oldest first."""
    return [t for t in sorted(scene.facts.checkpoints) if stage(scene, t) is Stage.FAILED]


def reports(scene: Scene) -> tuple[PackedReport, ...]:
    """The reports of the checkpoints that there are, oldest first."""
    found = sorted(scene.facts.reports.items())
    return tuple(report for tokens, report in found if _fits(scene, tokens))


def backoff_seconds_left(scene: Scene, tokens: int) -> float:
    """Seconds until the wait after the last failed try at `tokens` is over."""
    outcome = scene.outcome(tokens)
    if outcome is None or outcome.at is None or outcome.result == "Succeeded":
        return 0.0
    policy = scene.spec.restart_policy
    return backoff.seconds_left(policy, max(1, outcome.tries), outcome.at, scene.now)


def backing_off(scene: Scene) -> dict[int, float]:
    """Seconds until the next try, by tokens, of the evaluations that wait after a failed one."""
    waits = {tokens: backoff_seconds_left(scene, tokens) for tokens in outstanding(scene)}
    return {tokens: wait for tokens, wait in waits.items() if wait > 0}


def intents(scene: Scene) -> list[Intent]:
    """What deletes the children that are done with, and begins the oldest that are due."""
    return [*_deletions(scene), *_beginnings(scene)]


def _outcome(scene: Scene, tokens: int) -> EvaluationOutcome | None:
    known, child = scene.outcome(tokens), scene.evaluation(tokens)
    tries = child[0].number if child is not None else known.tries if known is not None else 0
    if known is not None and known.result == "Succeeded":
        return known
    if _fits(scene, tokens):
        unseen = child is None and known is not None
        return _record(scene, tokens, tries + unseen, None)
    if tokens in scene.facts.damaged_reports or tokens in scene.facts.reports:
        return _record(scene, tokens, tries, _unusable(scene, tokens))
    if child is None or not (child[1].ended or child[1].bereft):
        return known
    ending = of_evaluation(child[1], scene.facts.failures.get(tokens))
    return _record(scene, tokens, tries, ending) if ending.counted else known


def _record(scene: Scene, tokens: int, tries: int, failure: Ending | None) -> EvaluationOutcome:
    known = scene.outcome(tokens)
    record = EvaluationOutcome(
        checkpoint_digest=scene.facts.checkpoints[tokens].digest,
        result="Failed" if failure else "Succeeded",
        tries=tries,
        at=scene.now,
        cause=failure.cause if failure else None,
        message=failure.message if failure else "",
    )
    if known is not None and (known.result, known.tries) == (record.result, tries):
        return record.model_copy(update={"at": known.at})
    return record


def _fits(scene: Scene, tokens: int) -> bool:
    checkpoint, report = scene.facts.checkpoints.get(tokens), scene.facts.reports.get(tokens)
    if checkpoint is None or report is None:
        return False
    return report.checkpoint_digest == checkpoint.digest


def _unusable(scene: Scene, tokens: int) -> Ending:
    why = scene.facts.damaged_reports.get(tokens, "its report is about another checkpoint's files")
    remedy = f"delete evaluations/{tokens_key(tokens)}/ from the store and apply the run again"
    return Ending(Cause.CONFIGURATION, f"{why}: {remedy}")


def _exhausted(scene: Scene, outcome: EvaluationOutcome) -> bool:
    final = outcome.cause is Cause.CONFIGURATION
    return final or outcome.tries > scene.spec.evaluation.retries


def _deletions(scene: Scene) -> list[Intent]:
    failed_for_good = set(failed(scene))
    return [
        DeleteChild(child, wait_for_pods=not state.abandoned)
        for child, state in scene.evaluations.items()
        if _is_done_with(state) and child.tokens not in failed_for_good
    ]


def _is_done_with(state: ChildState) -> bool:
    return state.abandoned or (state.ended and not state.deleting)


def _beginnings(scene: Scene) -> list[Intent]:
    present = {child.tokens for child in scene.evaluations}
    busy = sum(state.live for state in scene.evaluations.values())
    free = max(0, scene.spec.evaluation.concurrency - busy)
    held = present | backing_off(scene).keys()
    due = [tokens for tokens in outstanding(scene) if tokens not in held]
    return [ApplyChild(_next_try(scene, tokens), scene.pinned) for tokens in due[:free]]


def _next_try(scene: Scene, tokens: int) -> Evaluation:
    outcome = scene.outcome(tokens)
    return Evaluation(tokens, outcome.tries + 1 if outcome is not None else 1)
