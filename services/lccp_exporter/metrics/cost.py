"""Metrics of a run's cost, and of the savings by its stop."""

from lccp.cost.savings import Savings, Throughput
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import RunMetric, of_heartbeat, one


def _saved(facts: ExportedFacts) -> Savings | None:
    stop, beat = facts.journal.stop if facts.journal else None, facts.heartbeat
    if stop is None or beat is None or stop.action != "Stop":
        return None
    return Savings.of(beat.tokens_total, beat.tokens, 0, Throughput.told_by(beat))


def _saved_tokens(facts: ExportedFacts) -> float | None:
    saved = _saved(facts)
    return None if saved is None else float(saved.tokens)


def _saved_seconds(facts: ExportedFacts) -> float | None:
    saved = _saved(facts)
    if saved is None or saved.accelerator_hours is None:
        return None
    return 3_600 * saved.accelerator_hours


COST = (
    RunMetric(
        "lccp_accelerators",
        "Accelerators of the newest attempt that wrote; 0 on CPUs.",
        of_heartbeat(lambda b: b.accelerators),
    ),
    RunMetric(
        "lccp_spent_accelerator_seconds",
        "Accelerators x wall time of all attempts, excluding time in a queue: the cost of the "
        "training.",
        one(lambda facts: facts.accelerator_seconds),
    ),
    RunMetric(
        "lccp_saved_tokens",
        "Tokens of the budget that a stop by the verdict or the deadline made unnecessary; absent "
        "without a stop.",
        one(_saved_tokens),
    ),
    RunMetric(
        "lccp_saved_accelerator_seconds",
        "Cost of these tokens at the last throughput; absent if it is unknown.",
        one(_saved_seconds),
    ),
)
