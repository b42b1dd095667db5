"""The JSON API's own answers, in addition to the objects of the store."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from lccp.api.conditions import ReportedCondition
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.losses import HeldOutLoss, PositionShare
from lccp.api.objects.training import Ledger, RouterRecord, Spike, StepRecord
from lccp.api.objects.verdict import Forecast, Gain, VerdictState
from lccp.contract.base import Contract
from lccp_exporter.facts import ExportedFacts, RunPhase


class RunSummary(Contract):
    """A run in a list."""

    namespace: Annotated[str, Field(description="Namespace.")]
    name: Annotated[str, Field(description="Name.")]
    phase: Annotated[RunPhase, Field(description="Its current activity, or what it waits for.")]
    verdict: Annotated[VerdictState | None, Field(description="The verdict; none: not yet.")]
    tokens: Annotated[int | None, Field(description="Tokens trained.")]
    tokens_total: Annotated[int | None, Field(description="Tokens of the budget.")]
    evaluated_tokens: Annotated[
        int | None, Field(description="Tokens of the newest evaluated checkpoint.")
    ]
    signals: Annotated[
        dict[str, float], Field(description="Newest values of the signals that a verdict watches.")
    ]
    heartbeat_at: Annotated[datetime | None, Field(description="Last heartbeat, UTC.")]

    @classmethod
    def of(cls, facts: ExportedFacts) -> Self:
        beat, judged, newest = facts.heartbeat, facts.judged, facts.newest
        values = {name: value for (name, _), value in facts.newest_values().items()}
        return cls(
            namespace=facts.namespace,
            name=facts.run,
            phase=facts.phase,
            verdict=judged.state if judged else None,
            tokens=beat.tokens if beat else None,
            tokens_total=beat.tokens_total if beat else None,
            evaluated_tokens=newest.tokens if newest else None,
            signals={name: values[name] for name in facts.watched if name in values},
            heartbeat_at=beat.at if beat else None,
        )


class RunPage(Contract):
    """A page of the list of runs."""

    items: Annotated[tuple[RunSummary, ...], Field(description="By namespace and name.")]
    next: Annotated[
        str | None, Field(description="`after` of the next page; none: this is the last.")
    ]


class CheckpointValues(Contract):
    """The measurements at one checkpoint."""

    tokens: Annotated[int, Field(description="Tokens trained.")]
    signals: Annotated[dict[str, float], Field(description="Values by signal, in their units.")]


class RunDetail(RunSummary):
    """Everything that the exporter knows about a run."""

    conditions: Annotated[
        tuple[ReportedCondition, ...],
        Field(description="Of the run object, as last changed; none: it had no status."),
    ]
    digest: Annotated[str, Field(description="SHA-256 of its identity.")]
    attempts: Annotated[tuple[AttemptRecord, ...], Field(description="Oldest first.")]
    checkpoints: Annotated[tuple[CheckpointValues, ...], Field(description="Oldest first.")]
    gains: Annotated[
        tuple[Gain, ...], Field(description="Of watched signals, at the newest checkpoint.")
    ]
    forecast: Annotated[Forecast | None, Field(description="Present once there is one.")]
    ledger: Annotated[Ledger, Field(description="How all attempts spent their time.")]
    goodput: Annotated[
        float | None,
        Field(description="Productive share of it, excluding time in a queue."),
    ]
    accelerator_seconds: Annotated[
        float | None,
        Field(
            description="Accelerators x wall time of all attempts, excluding time in a queue; "
            "none: no trainer reported its number."
        ),
    ]
    spikes_total: Annotated[int, Field(description="Outlier steps of all attempts.")]
    spikes: Annotated[tuple[Spike, ...], Field(description="The last ones of the newest attempt.")]
    loss_by_source: Annotated[
        dict[str, float],
        Field(
            description="Mean NLL per predicted token of each source, nats, over the steps between "
            "the last two logged ones, with the last."
        ),
    ]
    held_out: Annotated[
        HeldOutLoss | None, Field(description="Of the newest checkpoint at which it was measured.")
    ]
    position_shares: Annotated[
        tuple[PositionShare, ...],
        Field(
            description="Positions, in their documents, of the tokens predicted between the last "
            "two logged steps."
        ),
    ]
    router: Annotated[RouterRecord | None, Field(description="At the last logged step.")]
    peak_memory_bytes: Annotated[
        int | None,
        Field(
            description="Peak memory of rank 0: on its accelerator, or of its process without one."
        ),
    ]
    finished_at: Annotated[datetime | None, Field(description="When nothing was left to do, UTC.")]
    unreadable_objects: Annotated[
        int, Field(description="Objects that are damaged or of another version.")
    ]

    @classmethod
    def of(cls, facts: ExportedFacts) -> Self:
        summary, beat = RunSummary.of(facts), facts.heartbeat
        names = {name for name, _ in facts.newest_values()}
        measured = facts.values_by_checkpoint(tuple(names))
        return cls(
            **{name: getattr(summary, name) for name in RunSummary.model_fields},
            conditions=tuple(one.condition for one in facts.conditions),
            digest=facts.digest,
            attempts=facts.journal.attempts if facts.journal else (),
            checkpoints=tuple(
                CheckpointValues(
                    tokens=tokens, signals={name: value for (name, _), value in values.items()}
                )
                for tokens, values in measured.items()
            ),
            gains=facts.judged.gains if facts.judged else (),
            forecast=facts.judged.forecast if facts.judged else None,
            ledger=facts.ledger,
            goodput=facts.ledger.goodput,
            accelerator_seconds=facts.accelerator_seconds,
            spikes_total=facts.spikes_total,
            spikes=beat.spikes if beat else (),
            loss_by_source=beat.loss_by_source if beat else {},
            held_out=beat.held_out if beat else None,
            position_shares=beat.position_shares if beat else (),
            router=beat.router if beat else None,
            peak_memory_bytes=beat.peak_memory_bytes if beat else None,
            finished_at=facts.finished_at,
            unreadable_objects=facts.unreadable_objects,
        )


class HistoryPage(Contract):
    """Logged steps of a run."""

    items: Annotated[tuple[StepRecord, ...], Field(description="By step.")]
    next: Annotated[
        int | None, Field(description="`after` of the next page; none: this is the last.")
    ]


class Detail(Contract):
    """The error in a request."""

    detail: Annotated[str, Field(description="One sentence.")]
