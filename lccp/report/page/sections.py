"""The sections of the page: numbers, evidence, checkpoints, figures, method of measurement."""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from lccp.analysis.correlation import correlations
from lccp.api.objects.losses import HeldOutLoss
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.training import Ledger
from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.contract.signals import Role, Signal
from lccp.report.branches import attempt_text, branches_of
from lccp.report.correlation import HEADS, rows
from lccp.report.load import RunData
from lccp.report.page import html
from lccp.report.page.exhibits import Exhibit, exhibits
from lccp.report.summary import Summary, forecast_sentence, gain_with_interval, table_signals
from lccp.report.text import (
    MISSING,
    duration_text,
    percent_text,
    scientific_text,
    tokens_text,
    value_text,
)
from lccp.report.training import (
    activities,
    attempt_time,
    held_out_bands,
    router_bands,
    source_losses,
    spike_sentence,
)

HORIZONS = {
    "Given": "as given",
    "Budget": "an eighth of the budget",
    "Guess": "a guess: an eighth of the newest checkpoint's tokens",
}
SPIKES_MAX = 20
PAIRS_MAX = 20
UNJUDGED = CheckpointVerdict(tokens=0, state=VerdictState.UNDETERMINED)


def sections(data: RunData, verdict: Verdict, summary: Summary) -> Iterator[str]:
    yield html.cards(_key_numbers(summary))
    expected = [sentence for sentence in (forecast_sentence(verdict.forecast),) if sentence]
    grounds = (*verdict.evidence, *expected, verdict.advice)
    figures = [_figure(exhibit) for exhibit in exhibits(data, verdict)]
    yield from figures[:1]
    yield html.section("Evidence", html.bullets(grounds))
    yield from figures[1:]
    yield html.section("Checkpoints", _checkpoints(data, verdict))
    yield from _branches(data, verdict)
    yield from _correlations(verdict)
    yield from _training(data)
    if data.journal and data.journal.attempts:
        yield html.section("Attempts", _attempts(data))
    yield html.section("How it was measured", _method(data, verdict), long=True)


def _figure(exhibit: Exhibit) -> str:
    plot = html.plot(exhibit.figure.to_json(), exhibit.caption, wide=exhibit.wide)
    return html.section(exhibit.title, plot)


def _key_numbers(summary: Summary) -> Iterator[tuple[str, str, str]]:
    budget = summary.budget_tokens
    of_budget = f"of {tokens_text(budget)} in the budget" if budget else ""
    yield "tokens trained", tokens_text(summary.trained_tokens), of_budget
    if summary.saved is not None:
        share = f"{percent_text(summary.saved.share)} of the budget"
        yield "tokens saved", tokens_text(summary.saved.tokens), share
        if summary.saved.flops:
            yield "compute saved", scientific_text(summary.saved.flops), "FLOPs"
        if summary.saved.accelerator_hours is not None:
            hours = f"{summary.saved.accelerator_hours:,.3g}"
            yield "accelerator-hours saved", hours, "at the last throughput"
    for change in summary.changes:
        yield change.signal.title, change.text(), "first → newest checkpoint"


def _checkpoints(data: RunData, verdict: Verdict) -> str:
    guards = [signal for signal in verdict.signals if signal.role is Role.GUARD]
    signals = [*table_signals(verdict), *guards]
    judged = {checkpoint.tokens: checkpoint for checkpoint in verdict.checkpoints}
    rows = [_row(report, judged.get(report.tokens), signals, verdict) for report in data.reports]
    rows += [
        [
            tokens_text(tokens),
            *[MISSING] * (len(signals) + 1),
            f"evaluation failed: {escape(failure.message)}",
        ]
        for tokens, failure in sorted(data.failures.items())
    ]
    heads = ("tokens", *(signal.title for signal in signals), "gain per horizon", "verdict")
    return html.table(heads, rows, text=(len(heads) - 1,))


def _row(
    report: EvaluationReport,
    judged: CheckpointVerdict | None,
    signals: Sequence[Signal],
    verdict: Verdict,
) -> list[str]:
    judged = judged or UNJUDGED
    values = {**judged.values} | {signal.name: signal.value for signal in report.signals()}
    return [
        tokens_text(report.tokens),
        *(value_text(values.get(signal.name), signal.unit) for signal in signals),
        gain_with_interval(judged, verdict),
        html.state(judged.state),
    ]


def _branches(data: RunData, verdict: Verdict) -> Iterator[str]:
    signals = table_signals(verdict)
    rows = [
        [
            tokens_text(branch.tokens),
            branch.progress,
            *(value_text(branch.value(signal), signal.unit) for signal in signals),
        ]
        for branch in branches_of(data)
    ]
    if rows:
        heads = ("begins at", "progress", *(signal.title for signal in signals))
        yield html.section("Anneal branches", html.table(heads, rows, (1,)))


def _correlations(verdict: Verdict) -> Iterator[str]:
    found = correlations(verdict)
    if found.pairs:
        more = f"{len(found.pairs) - PAIRS_MAX} further pairs are not shown."
        notes = [*found.notes, more] if len(found.pairs) > PAIRS_MAX else found.notes
        told = [[escape(cell) for cell in row] for row in rows(found)[:PAIRS_MAX]]
        shown = html.table(HEADS, told, (0,))
        yield html.section("Signals that move together", html.bullets(notes) + shown)


def _training(data: RunData) -> Iterator[str]:
    """Where the time went, losses, routers, steps that stood out, as far as trainers reported."""
    if rows := _time_rows(Ledger.of_all(data.ledgers.values())):
        yield html.section(
            "Where the time went", html.table(("activity", "time", "share"), rows, (0,))
        )
    if losses := list(source_losses(data.history)):
        heads = ("source", "share of the tokens", "loss at first (nats)", "loss at last (nats)")
        rows = [
            [name, _share(name, data.tokens_per_source), f"{first:.3f}", f"{last:.3f}"]
            for name, first, last in losses
        ]
        yield html.section("Loss by source", html.table(heads, rows, (0,)))
    if data.held_out:
        yield html.section("Loss on held-out documents", _held_out(data.held_out))
    router = next((line.router for line in reversed(data.history) if line.router), None)
    if router is not None:
        parts = ("part of the context", "lowest entropy of a layer (nats)", "busiest expert")
        rows = [
            [band, f"{entropy:.3f}", percent_text(share)]
            for band, entropy, share in router_bands(router)
        ]
        yield html.section("Routers of the experts", html.table(parts, rows, (0,)))
    if spikes := [line.spike for line in data.history if line.spike]:
        more = f"{len(spikes) - SPIKES_MAX} earlier ones are not shown."
        told = [spike_sentence(spike) for spike in spikes[-SPIKES_MAX:]]
        shown = [*told, more] if len(spikes) > SPIKES_MAX else told
        yield html.section("Steps that stood out", html.bullets(shown))


def _share(name: str, tokens: Mapping[str, int]) -> str:
    """Its share of the tokens of all sources; unknown before the first checkpoint."""
    return percent_text(tokens[name] / sum(tokens.values())) if tokens.get(name) else MISSING


def _held_out(measured: Sequence[HeldOutLoss]) -> str:
    first, last = measured[0], measured[-1]
    at = [f"loss at {tokens_text(one.tokens)} (nats)" for one in (first, last)]
    rows = [
        [source, positions, MISSING if before is None else f"{before:.3f}", f"{now:.3f}"]
        for source, positions, before, now in held_out_bands(first, last)
    ]
    return html.table(("source", "positions", *at), rows, (0, 1))


def _time_rows(ledger: Ledger) -> list[list[str]]:
    return [
        [name, duration_text(seconds), percent_text(share)]
        for name, seconds, share in activities(ledger)
    ]


def _attempts(data: RunData) -> str:
    rows = [
        [
            attempt_text(attempt),
            f"{attempt.started_at:%Y-%m-%d %H:%M:%S}",
            f"{attempt.ended_at:%Y-%m-%d %H:%M:%S}" if attempt.ended_at else MISSING,
            attempt.cause or "running",
            attempt_time(attempt) or MISSING,
            escape(attempt.message),
        ]
        for attempt in (data.journal.attempts if data.journal else ())
    ]
    head = ("attempt", "started (UTC)", "ended (UTC)", "cause", "its time", "message")
    return html.table(head, rows, (3, 4, 5))


def _method(data: RunData, verdict: Verdict) -> str:
    policy = verdict.policy
    entries = [
        ("signal", policy.signal),
        ("horizon", f"{policy.horizon_tokens:,} tokens ({HORIZONS[policy.horizon_source]})"),
        ("least gain δ", f"{policy.delta(policy.signal):g} per horizon, on the signal's scale"),
        ("confidence", f"{policy.confidence:g}, one-sided on each side"),
        ("patience", f"{policy.patience} horizons of plateau, end to end"),
    ]
    if data.identity:
        entries.append(("identity of the run", data.identity.digest))
    folds = []
    if data.reports:
        newest = data.reports[-1]
        source, target = newest.source_context_length, newest.target_context_length
        entries += [
            ("context", f"{source:,} → {target:,} tokens"),
            ("samples", _inline({n: p.samples_digest for n, p in newest.probes.items()})),
            ("execution", _inline(newest.execution_plan)),
            ("versions", _inline(newest.versions)),
        ]
        settings = {name: probe.settings for name, probe in newest.probes.items()}
        folds.append(html.folded("Settings of the probes", _indented(settings)))
    if data.identity:
        folds.append(html.folded("Identity of the run", _indented(data.identity.identity)))
    return html.facts(entries) + "\n".join(folds)


def _inline(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
