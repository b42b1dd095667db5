"""Metrics of the run and its training: phase, progress, attempts, checkpoints."""

from lccp.api.causes import Cause
from lccp_exporter.facts import ExportedFacts, RunPhase
from lccp_exporter.metrics.metric import (
    RunMetric,
    Samples,
    of_heartbeat,
    of_journal,
    one,
    one_hot,
)


def _info(facts: ExportedFacts) -> Samples:
    context = facts.target_context_length
    return [((facts.digest[:12], "" if context is None else str(context)), 1.0)]


def _attempts(facts: ExportedFacts) -> Samples:
    ended = [a.cause for a in facts.journal.attempts if a.cause] if facts.journal else []
    return [((cause.value,), float(ended.count(cause))) for cause in sorted(set(ended))]


def _state_lag(facts: ExportedFacts) -> float | None:
    beat = facts.heartbeat
    if beat is None or not beat.tokens or beat.phase == "Importing":
        return None
    saved = max(beat.states, default=beat.resumed_from_tokens or 0)
    return float(max(0, beat.tokens - saved))


def _failed(facts: ExportedFacts) -> float:
    """1 if the run did not end as intended; a branch that failed for good leaves it succeeded."""
    journal = facts.journal
    if journal is None or facts.phase is not RunPhase.FINISHED:
        return 0.0
    own = [attempt for attempt in journal.attempts if attempt.branch is None]
    last = own[-1] if own else None
    if last is not None and last.cause is Cause.COMPLETED:
        return 0.0
    if journal.stop is not None and journal.stop.action == "Stop":
        return float(journal.stop.reason == "DeadlineExceeded")
    return float(last is not None and last.counted)


def _branches(facts: ExportedFacts) -> float:
    attempts = facts.journal.attempts if facts.journal else ()
    ended = {one.branch for one in attempts if one.cause is Cause.COMPLETED}
    return float(len(ended - {None}))


TRAINING = (
    RunMetric(
        "lccp_run_info",
        "1 for each run: identity digest (12 digits), and the target context length in tokens.",
        _info,
        ("digest", "target_context_length"),
    ),
    RunMetric(
        "lccp_run_phase",
        "1 for the run's current phase, 0 for the others: Queued (no trainer writes), "
        "Starting, Training, Annealing (a branch), Importing (an attached run), Saving, Suspended, "
        "Evaluating (the training has ended), Finished.",
        lambda facts: one_hot(RunPhase, facts.phase),
        ("phase",),
        most=len(RunPhase),
    ),
    RunMetric(
        "lccp_run_finished_timestamp_seconds",
        "When nothing was left to do, seconds since 1970; absent while the run is active.",
        one(lambda facts: facts.finished_at.timestamp() if facts.finished_at else None),
    ),
    RunMetric(
        "lccp_run_failed",
        "1 if the run ended by a failure that is not retried, or by its deadline, else 0.",
        one(_failed),
    ),
    RunMetric(
        "lccp_run_accepted_timestamp_seconds",
        "When the run was accepted, seconds since 1970.",
        of_journal(lambda journal: journal.accepted.at.timestamp() if journal.accepted else None),
    ),
    RunMetric(
        "lccp_unreadable_objects",
        "Objects of the run that are damaged or of another schema version.",
        one(lambda facts: float(facts.unreadable_objects)),
    ),
    RunMetric("lccp_trained_tokens", "Tokens trained so far.", of_heartbeat(lambda b: b.tokens)),
    RunMetric("lccp_token_budget", "Tokens of the budget.", of_heartbeat(lambda b: b.tokens_total)),
    RunMetric(
        "lccp_training_step", "Steps of the optimizer so far.", of_heartbeat(lambda b: b.step)
    ),
    RunMetric(
        "lccp_training_attempt",
        "Number of the newest attempt that wrote.",
        of_heartbeat(lambda b: b.attempt),
    ),
    RunMetric(
        "lccp_training_loss",
        "Loss of the last step, nats per token.",
        of_heartbeat(lambda b: b.loss),
    ),
    RunMetric(
        "lccp_learning_rate",
        "Learning rate of the last step.",
        of_heartbeat(lambda b: b.learning_rate),
    ),
    RunMetric(
        "lccp_gradient_norm",
        "Global gradient norm of the last step, before clipping.",
        of_heartbeat(lambda b: b.gradient_norm),
    ),
    RunMetric(
        "lccp_tokens_per_second",
        "Training throughput, tokens per second.",
        of_heartbeat(lambda b: b.tokens_per_second),
    ),
    RunMetric(
        "lccp_mfu_ratio",
        "Model FLOPs utilisation, 0 to 1; absent on CPUs.",
        of_heartbeat(lambda b: b.mfu),
    ),
    RunMetric(
        "lccp_last_heartbeat_timestamp_seconds",
        "When the trainer last wrote its heartbeat, seconds since 1970.",
        of_heartbeat(lambda b: b.at.timestamp()),
    ),
    RunMetric(
        "lccp_training_attempts_ended_total",
        "Attempts of the gang that ended, by cause.",
        _attempts,
        ("cause",),
        "counter",
        most=len(Cause),
    ),
    RunMetric(
        "lccp_complete_checkpoints",
        "Complete checkpoints.",
        of_heartbeat(lambda b: len(b.checkpoints)),
    ),
    RunMetric(
        "lccp_latest_checkpoint_tokens",
        "Tokens of the newest complete checkpoint.",
        of_heartbeat(lambda b: max(b.checkpoints, default=None)),
    ),
    RunMetric(
        "lccp_unsaved_tokens",
        "Tokens trained since the newest complete state, which a restart would repeat.",
        one(_state_lag),
    ),
    RunMetric(
        "lccp_branches_trained",
        "Anneal branches that have been trained to their end.",
        one(_branches),
    ),
    RunMetric(
        "lccp_branch_trained_tokens",
        "Tokens of the branch in training, including those of the run at which it began; absent "
        "while none is in training.",
        one(lambda facts: facts.branching.tokens if facts.branching else None),
    ),
)
