"""All metrics, once: name, meaning, labels, and how each follows from stored facts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from lccp.api.objects.training import Heartbeat
from lccp.api.objects.verdict import Verdict, VerdictState
from lccp.probes.probe import Axis, HeatMaps
from lccp.probes.registry import PROBES
from lccp_exporter.facts import RunFacts
from lccp_exporter.refresh import StoreHealth

RUN_LABELS = ("namespace", "run")
LABEL_DIGITS = {"tokens": 7, "percent": 3, "number": 3}
"""Labels sort as text, so their numbers have leading zeros."""
Samples = Iterable[tuple[tuple[str, ...], float | None]]
"""Values of the further labels with the value; None: not known, no sample."""


@dataclass(frozen=True)
class RunMetric:
    """A metric of a run; its series are there as long as the run is."""

    name: str
    help: str
    samples: Callable[[RunFacts], Samples]
    labels: tuple[str, ...] = ()
    """Labels beside namespace and run."""
    kind: Literal["gauge", "counter"] = "gauge"


@dataclass(frozen=True)
class StoreMetric:
    """A metric of the exporter itself, by store."""

    name: str
    help: str
    value: Callable[[StoreHealth], float | None]
    kind: Literal["gauge", "counter"] = "gauge"


def padded(number: int, digits: int) -> str:
    """`number` with leading zeros, since labels sort as text."""
    return f"{number:0{digits}d}"


def _one(value: Callable[[RunFacts], float | None]) -> Callable[[RunFacts], Samples]:
    return lambda facts: [((), value(facts))]


def _beat(value: Callable[[Heartbeat], float | None]) -> Callable[[RunFacts], Samples]:
    return _one(lambda facts: value(facts.heartbeat) if facts.heartbeat else None)


def _judged(value: Callable[[Verdict], float | None]) -> Callable[[RunFacts], Samples]:
    return _one(lambda facts: value(facts.verdict) if facts.verdict else None)


def _gains(value: Literal["gain", "lower", "upper"]) -> Callable[[RunFacts], Samples]:
    def samples(facts: RunFacts) -> Samples:
        seen = facts.verdict.checkpoints if facts.verdict else ()
        return [((g.signal,), getattr(g, value)) for c in seen[-1:] for g in c.gains]

    return samples


def _info(facts: RunFacts) -> Samples:
    context = facts.report.target_context_length if facts.report else ""
    digest = facts.identity.digest[:12] if facts.identity else ""
    return [((digest, str(context)), 1.0)]


def _states(facts: RunFacts) -> Samples:
    state = facts.verdict.state if facts.verdict else VerdictState.UNDETERMINED
    return [((one.value,), float(one is state)) for one in VerdictState]


def _evaluations(facts: RunFacts) -> Samples:
    outcomes = facts.journal.evaluations.values() if facts.journal else ()
    results = [outcome.result for outcome in outcomes]
    return [((result,), float(results.count(result))) for result in ("Succeeded", "Failed")]


def _pending(facts: RunFacts) -> float:
    complete = facts.heartbeat.checkpoints if facts.heartbeat else ()
    outcomes = facts.journal.evaluations if facts.journal else {}
    return float(sum(padded(tokens, 15) not in outcomes for tokens in complete))


def _attempts(facts: RunFacts) -> Samples:
    ended = [a.cause for a in facts.journal.attempts if a.cause] if facts.journal else []
    return [((cause.value,), float(ended.count(cause))) for cause in sorted(set(ended))]


def _signals(facts: RunFacts) -> Samples:
    """Values of the newest evaluated checkpoint, those that compare it with others included."""
    measured = facts.report.signals() if facts.report else ()
    own = [((s.name, s.band or ""), s.value) for s in measured]
    return own + [((name, ""), value) for name, value in facts.compared.items()]


def _cells(probe: str, chart: HeatMaps) -> Callable[[RunFacts], Samples]:
    """The chart's array at the newest evaluated checkpoint, by both axes."""
    down, across = chart.down.values, chart.across.values
    assert down is not None
    assert across is not None

    def samples(facts: RunFacts) -> Samples:
        details = facts.details.get(probe)
        if details is None or chart.array not in details:
            return []
        values = details[chart.array]
        return [
            ((_label(chart.down, y), _label(chart.across, x)), float(values[i, j]))
            for i, y in enumerate(details[down].tolist())
            for j, x in enumerate(details[across].tolist())
        ]

    return samples


def _label(axis: Axis, value: float) -> str:
    return padded(int(value), LABEL_DIGITS[axis.text])


def _maps() -> Iterator[RunMetric]:
    """A metric for each heat map whose axes have values."""
    for name, probe in PROBES.items():
        for chart in probe.charts:
            if isinstance(chart, HeatMaps) and chart.down.values and chart.across.values:
                yield RunMetric(
                    f"lccp_{name}_{chart.array}",
                    f"{chart.title}: {chart.unit} at the newest evaluated checkpoint; label values "
                    "are zero-padded.",
                    _cells(name, chart),
                    (chart.down.name, chart.across.name),
                )


RUN_METRICS = (
    RunMetric(
        "lccp_run_info",
        "1 for each run: identity digest (12 digits) and target context length in tokens.",
        _info,
        ("digest", "target_context_length"),
    ),
    RunMetric(
        "lccp_run_finished_timestamp_seconds",
        "When nothing was left to be done, seconds since 1970; absent while the run lives.",
        _one(lambda facts: facts.finished_at.timestamp() if facts.finished_at else None),
    ),
    RunMetric(
        "lccp_unreadable_objects",
        "Objects of the run that are damaged or of another schema version.",
        _one(lambda facts: float(facts.unreadable_objects)),
    ),
    RunMetric("lccp_trained_tokens", "Tokens trained so far.", _beat(lambda b: b.tokens)),
    RunMetric("lccp_token_budget", "Tokens of the budget.", _beat(lambda b: b.tokens_total)),
    RunMetric("lccp_training_step", "Steps of the optimizer so far.", _beat(lambda b: b.step)),
    RunMetric("lccp_training_attempt", "Number of the newest attempt.", _beat(lambda b: b.attempt)),
    RunMetric(
        "lccp_training_loss",
        "Loss of the last step, nats per token.",
        _beat(lambda b: b.loss),
    ),
    RunMetric(
        "lccp_learning_rate", "Learning rate of the last step.", _beat(lambda b: b.learning_rate)
    ),
    RunMetric(
        "lccp_gradient_norm",
        "Global gradient norm of the last step, before clipping.",
        _beat(lambda b: b.gradient_norm),
    ),
    RunMetric(
        "lccp_tokens_per_second",
        "Training throughput, tokens per second.",
        _beat(lambda b: b.tokens_per_second),
    ),
    RunMetric(
        "lccp_mfu_ratio",
        "Model FLOPs utilisation, 0 to 1; absent on CPUs.",
        _beat(lambda b: b.mfu),
    ),
    RunMetric(
        "lccp_last_heartbeat_timestamp_seconds",
        "When the trainer last spoke, seconds since 1970.",
        _beat(lambda b: b.at.timestamp()),
    ),
    RunMetric(
        "lccp_training_attempts_ended_total",
        "Attempts of the gang that ended, by cause.",
        _attempts,
        ("cause",),
        "counter",
    ),
    RunMetric(
        "lccp_complete_checkpoints",
        "Complete checkpoints.",
        _beat(lambda b: len(b.checkpoints)),
    ),
    RunMetric(
        "lccp_latest_checkpoint_tokens",
        "Tokens of the newest complete checkpoint.",
        _beat(lambda b: max(b.checkpoints, default=None)),
    ),
    RunMetric(
        "lccp_checkpoint_evaluations_total",
        "Evaluations of checkpoints that ended, by result (Succeeded, Failed).",
        _evaluations,
        ("result",),
        "counter",
    ),
    RunMetric(
        "lccp_checkpoint_evaluations_pending",
        "Complete checkpoints whose evaluation has not ended.",
        _one(_pending),
    ),
    RunMetric(
        "lccp_evaluated_checkpoint_tokens",
        "Tokens of the newest evaluated checkpoint, which signals and cells are about.",
        _one(lambda facts: facts.report.tokens if facts.report else None),
    ),
    *_maps(),
    RunMetric(
        "lccp_signal",
        "Value of a signal at the newest evaluated checkpoint, in its unit; band is extension "
        "(beyond the source context), guard (within it) or empty.",
        _signals,
        ("signal", "band"),
    ),
    RunMetric("lccp_verdict", "1 for the verdict's state, 0 for the others.", _states, ("state",)),
    RunMetric(
        "lccp_verdict_since_tokens",
        "Tokens of the checkpoint since which the verdict stands.",
        _judged(lambda verdict: verdict.since_tokens),
    ),
    RunMetric(
        "lccp_signal_gain",
        "Gain of a signal over one horizon at the newest checkpoint; log scale for perplexities, "
        "positive is better.",
        _gains("gain"),
        ("signal",),
    ),
    RunMetric(
        "lccp_signal_gain_lower", "Lower end of the gain's interval.", _gains("lower"), ("signal",)
    ),
    RunMetric(
        "lccp_signal_gain_upper", "Upper end of the gain's interval.", _gains("upper"), ("signal",)
    ),
    RunMetric(
        "lccp_min_gain",
        "Least gain over one horizon that pays.",
        _judged(lambda verdict: verdict.policy.min_gain),
    ),
    RunMetric(
        "lccp_horizon_tokens",
        "Horizon of the verdict, tokens.",
        _judged(lambda verdict: verdict.policy.horizon_tokens),
    ),
)

STORE_METRICS = (
    StoreMetric(
        "lccp_exporter_store_errors_total",
        "Times that a store could not be read.",
        lambda health: float(health.errors),
        "counter",
    ),
    StoreMetric(
        "lccp_exporter_store_refresh_timestamp_seconds",
        "When a store was last read, seconds since 1970; all metrics of its runs are of then.",
        lambda health: health.refreshed_at.timestamp() if health.refreshed_at else None,
    ),
    StoreMetric(
        "lccp_exporter_store_refresh_duration_seconds",
        "How long the last reading of a store took.",
        lambda health: health.duration_seconds,
    ),
    StoreMetric(
        "lccp_exporter_store_runs",
        "Runs of a store that have series.",
        lambda health: float(health.runs),
    ),
)
