"""Metrics of evaluations: ended and waiting ones, and their lag behind the training."""

from lccp.api.labels import INTRINSIC, evaluation_key
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, one


def _ended(facts: ExportedFacts) -> Samples:
    outcomes = facts.journal.evaluations.values() if facts.journal else ()
    succeeded = sum(outcome.result == "Succeeded" for outcome in outcomes)
    failed = sum(outcome.exhausted for outcome in outcomes)
    return [(("Succeeded",), float(succeeded)), (("Failed",), float(failed))]


def _pending(facts: ExportedFacts) -> float:
    complete = facts.heartbeat.checkpoints if facts.heartbeat else ()
    outcomes = facts.journal.evaluations if facts.journal else {}
    ended = {key for key, one in outcomes.items() if one.exhausted or one.result == "Succeeded"}
    return float(sum(evaluation_key(tokens, INTRINSIC) not in ended for tokens in complete))


def _lag(facts: ExportedFacts) -> float | None:
    complete = facts.heartbeat.checkpoints if facts.heartbeat else ()
    evaluated = facts.newest.tokens if facts.newest else 0
    return float(max(0, max(complete) - evaluated)) if complete else None


EVALUATION = (
    RunMetric(
        "lccp_checkpoint_evaluations",
        "Evaluations of checkpoints by how they ended, those by external suites and of branches "
        "included: Succeeded, or Failed after all retries; a failed one that starts again leaves "
        "Failed.",
        _ended,
        ("result",),
        most=2,
    ),
    RunMetric(
        "lccp_checkpoint_evaluations_pending",
        "Complete checkpoints whose evaluation by the probes has not ended.",
        one(_pending),
    ),
    RunMetric(
        "lccp_evaluation_lag_tokens",
        "Tokens between the newest complete checkpoint and the newest evaluated one.",
        one(_lag),
    ),
    RunMetric(
        "lccp_evaluation_duration_seconds",
        "Duration of the newest evaluation.",
        one(lambda facts: facts.newest.seconds if facts.newest else None),
    ),
    RunMetric(
        "lccp_evaluated_checkpoint_tokens",
        "Tokens of the newest evaluated checkpoint, which cells are about.",
        one(lambda facts: facts.newest.tokens if facts.newest else None),
    ),
)
