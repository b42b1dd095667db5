"""The sections of the page: numbers, evidence, checkpoints, figures, how it was measured."""

import json
from collections.abc import Iterator, Mapping
from html import escape

from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.report.load import RunData
from lccp.report.page import html
from lccp.report.page.exhibits import EXHIBITS
from lccp.report.summary import Summary, forecast_sentence
from lccp.report.text import percent_text, scientific_text, tokens_text

MISSING = "–"
UNJUDGED = CheckpointVerdict(tokens=0, state=VerdictState.UNDETERMINED)
COLUMNS = (
    "tokens",
    "NIAH score",
    "NIAH-PPL",
    "guard PPL",
    "heads",
    "initial heads",
    "overlap",
    "gain per horizon",
    "verdict",
)


def sections(data: RunData, verdict: Verdict, summary: Summary) -> Iterator[str]:
    yield html.cards(_key_numbers(summary))
    expected = [sentence for sentence in (forecast_sentence(verdict.forecast),) if sentence]
    grounds = (*verdict.evidence, *expected, verdict.advice)
    yield html.section("What it rests on", html.bullets(grounds))
    yield html.section("Checkpoints", _checkpoints(data, verdict))
    for exhibit in EXHIBITS:
        figure = exhibit.draw(data, verdict) if data.reports else None
        if figure is not None:
            yield html.section(exhibit.title, html.plot(figure.to_json(), exhibit.caption))
    if data.journal and data.journal.attempts:
        yield html.section("Attempts", _attempts(data))
    yield html.section("How it was measured", _method(data, verdict), long=True)


def _key_numbers(summary: Summary) -> Iterator[tuple[str, str, str]]:
    budget = summary.budget_tokens
    of_budget = f"of {tokens_text(budget)} in the budget" if budget else ""
    yield "tokens trained", tokens_text(summary.trained_tokens), of_budget
    if summary.saved is not None:
        share = f"{percent_text(summary.saved.share)} of the budget"
        yield "tokens saved", tokens_text(summary.saved.tokens), share
        if summary.saved.flops:
            yield "compute saved", scientific_text(summary.saved.flops), "FLOPs"
    changes = (
        ("NIAH score", summary.score, 2, "lengths beyond the source context"),
        ("NIAH-PPL", summary.ppl, 3, "lengths beyond the source context"),
        ("retrieval heads", summary.heads, 0, "first → newest checkpoint"),
    )
    for name, change, digits, note in changes:
        if change is not None:
            yield name, change.text(digits), note


def _checkpoints(data: RunData, verdict: Verdict) -> str:
    judged = {checkpoint.tokens: checkpoint for checkpoint in verdict.checkpoints}
    rows = [_row(report, judged.get(report.tokens)) for report in data.reports]
    rows += [
        [tokens_text(tokens), *[MISSING] * 7, f"evaluation failed: {escape(failure.message)}"]
        for tokens, failure in sorted(data.failures.items())
    ]
    return html.table(COLUMNS, rows, text=(8,))


def _row(report: EvaluationReport, judged: CheckpointVerdict | None) -> list[str]:
    bands, heads = report.probes.niah.bands, report.probes.retrieval_heads
    extension, guard = bands.get("extension"), bands.get("guard")
    judged = judged or UNJUDGED
    gain = next((g for g in judged.gains if g.signal == "niah_ppl"), None)
    half = (gain.upper - gain.lower) / 2 if gain else 0.0
    return [
        tokens_text(report.tokens),
        _value(extension, "score", 3),
        _value(extension, "ppl", 4),
        _value(guard, "ppl", 4),
        _value(heads, "heads", 0),
        _value(judged, "initial_heads_score", 3),
        _value(judged, "head_overlap", 2),
        f"{100 * gain.gain:+.1f} ± {100 * half:.1f} %" if gain else MISSING,
        html.state(judged.state),
    ]


def _value(values: object | None, name: str, digits: int) -> str:
    """The attribute `name` of `values` as text; a dash where either is not known."""
    value = getattr(values, name, None)
    return MISSING if value is None else f"{value:.{digits}f}"


def _attempts(data: RunData) -> str:
    rows = [
        [
            str(attempt.number),
            f"{attempt.started_at:%Y-%m-%d %H:%M:%S}",
            f"{attempt.ended_at:%Y-%m-%d %H:%M:%S}" if attempt.ended_at else MISSING,
            attempt.cause or "running",
            escape(attempt.message),
        ]
        for attempt in (data.journal.attempts if data.journal else ())
    ]
    return html.table(("attempt", "started (UTC)", "ended (UTC)", "cause", "message"), rows, (3, 4))


def _method(data: RunData, verdict: Verdict) -> str:
    entries = [
        ("signal", verdict.signal),
        ("horizon", f"{verdict.horizon_tokens:,} tokens"),
        ("least gain δ", f"{verdict.min_gain:g} of log-PPL per horizon"),
        ("confidence", f"{verdict.confidence:g}, one-sided on each side"),
        ("patience", f"{verdict.patience} horizons of plateau, end to end"),
    ]
    if data.identity:
        entries.append(("identity of the run", data.identity.digest))
    folds = []
    if data.reports:
        newest = data.reports[-1]
        source, target = newest.source_context_length, newest.target_context_length
        entries += [
            ("context", f"{source:,} → {target:,} tokens"),
            ("samples", newest.samples_digest),
            ("execution", _inline(newest.execution_plan)),
            ("versions", _inline(newest.versions)),
        ]
        probes = newest.probes.document()
        settings = {name: probe["settings"] for name, probe in probes.items()}
        folds.append(html.folded("Settings of the probes", _indented(settings)))
    if data.identity:
        folds.append(html.folded("Immutable part of the spec", _indented(data.identity.immutable)))
    return html.facts(entries) + "\n".join(folds)


def _inline(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
