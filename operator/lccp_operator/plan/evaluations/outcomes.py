"""How evaluations ended: by reports in the store and by workloads.

An outcome is in the journal, under the checkpoint's digest, before its workload is deleted. A
failure never counts as an evaluation.
"""

from lccp.api.causes import Cause
from lccp.api.labels import REEVALUATE, evaluation_key, tokens_key
from lccp.api.objects.journal import EvaluationOutcome, Journal
from lccp.facts.facts import EvaluationKey
from lccp_operator.compact import CompactReport
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations.reevaluation import asked_anew, given_up
from lccp_operator.plan.evaluations.stages import REPORT_GONE, lost, name_of, wanted
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.evaluation import Evaluation


def settled(context: Context) -> Journal:
    """The journal with the observed outcomes, without those to repeat, or that are given up."""
    anew = [*asked_anew(context), *given_up(context)]
    seen = {
        evaluation_key(*key): _with_exhaustion(context, outcome)
        for key in wanted(context)
        if (outcome := _outcome(context, key)) is not None
    }
    outcomes = context.journal.evaluations | seen
    for key in anew:
        outcomes.pop(evaluation_key(*key), None)
    return context.noted(evaluations=dict(sorted(outcomes.items())))


def reports(context: Context) -> list[CompactReport]:
    """The reports that count, oldest first; also of checkpoints deleted since, to save space."""
    found, anew = context.facts.reports.items(), asked_anew(context)
    return [report for key, report in found if key not in anew and _counts(context, key, report)]


def _counts(context: Context, key: EvaluationKey, report: CompactReport) -> bool:
    """It is about exactly the checkpoint that is there, or, before newer ones, that once was."""
    if context.facts.evaluated(key) is not None:
        return Evaluation(*key).done(context.facts)
    known = context.journal.evaluations.get(evaluation_key(*key))
    passed = key[0] < (context.newest_checkpoint or 0)
    if known is None or known.result != "Succeeded" or not passed:
        return False
    return known.checkpoint_digest == report.checkpoint_digest


def _outcome(context: Context, key: EvaluationKey) -> EvaluationOutcome | None:
    known, workload = context.outcome(key), context.evaluation(key)
    tries = workload[0].number if workload is not None else known.tries if known is not None else 0
    if known is not None and known.result == "Succeeded":
        there = key in context.facts.reports or key in context.facts.damaged_reports
        return known if there else _record(context, key, 0, REPORT_GONE)
    if Evaluation(*key).done(context.facts):
        unseen = workload is None and known is not None
        return _record(context, key, tries + unseen, None)
    if key in context.facts.damaged_reports or key in context.facts.reports:
        return _record(context, key, tries, _unusable(context, key))
    if workload is None or not (workload[1].ended or workload[1].stuck):
        return known
    if known is not None and known.tries >= workload[0].number:
        return known  # of this try: its pods, which told the cause, may be gone since
    ending = workload[0].ending(workload[1], context.facts)
    if ending.counted:
        return _record(context, key, tries, ending)
    return known if workload[1].deleting else _interrupted(context, key, ending)


def _record(
    context: Context, key: EvaluationKey, tries: int, failure: Ending | None
) -> EvaluationOutcome:
    known, evaluated = context.outcome(key), context.facts.evaluated(key)
    assert evaluated is not None
    record = EvaluationOutcome(
        checkpoint_digest=evaluated.digest,
        result="Failed" if failure else "Succeeded",
        tries=tries,
        at=context.now,
        cause=failure.cause if failure else None,
        message=_told(context, key, failure) if failure else "",
    )
    if known is not None and (known.result, known.tries) == (record.result, tries):
        return record.model_copy(update={"at": known.at})
    return record


def _told(context: Context, key: EvaluationKey, failure: Ending) -> str:
    """Its message; of one that is not retried also how to repeat it."""
    if failure.cause is not Cause.CONFIGURATION:
        return failure.message
    again = f"to evaluate it again once that is corrected, {repeated(context, *key)}"
    return f"{failure.message}; {again}"


def _interrupted(context: Context, key: EvaluationKey, ending: Ending) -> EvaluationOutcome:
    """One more end that does not count as a try."""
    known = context.outcome(key)
    tries, before = (known.tries, known.interruptions) if known is not None else (0, 0)
    record = _record(context, key, tries, ending)
    return record.model_copy(update={"at": context.now, "interruptions": before + 1})


def _unusable(context: Context, key: EvaluationKey) -> Ending:
    damage = context.facts.damaged_reports.get(key)
    why = damage or "its report is about another checkpoint's files"
    return Ending(Cause.CONFIGURATION, why)


def repeated(context: Context, tokens: int, suite: str) -> str:
    """How a user has the evaluation repeated, in words."""
    if not context.by_command:
        return f"annotate the run with {REEVALUATE}={tokens}/{suite}"
    where = f"evaluations/{tokens_key(tokens)}/{suite}/"
    return f"delete {where} from the store, then {context.apply_again}"


def told_of_lost(context: Context) -> list[str]:
    """A sentence about each report that is gone with its checkpoint."""
    told = (
        "its report was deleted from the store, and its checkpoint is gone: the verdict is made "
        "without it; restore the report"
    )
    return [
        f"evaluation of {name_of(key)}: {told}{_accepted(context, *key)}" for key in lost(context)
    ]


def _accepted(context: Context, tokens: int, suite: str) -> str:
    how = f"annotate the run with {REEVALUATE}={tokens}/{suite}"
    return "" if context.by_command else f", or, to accept that, {how}"


def _with_exhaustion(context: Context, outcome: EvaluationOutcome) -> EvaluationOutcome:
    """The outcome, with whether it is retried, by the retries that are now allowed."""
    final = outcome.cause is Cause.CONFIGURATION
    no_more = final or outcome.tries > context.spec.evaluation.retries
    exhausted = outcome.result == "Failed" and no_more
    changed = exhausted != outcome.exhausted
    return outcome.model_copy(update={"exhausted": exhausted}) if changed else outcome
