"""The HTML pages: all runs, one run, and the grids of one checkpoint."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from lccp.api.objects.verdict import Gain, Verdict, VerdictState
from lccp.contract.signals import Signal
from lccp.probes.probe import HeatMaps
from lccp.probes.registry import PROBES
from lccp.report.branches import attempt_text
from lccp.report.states import STATE_WORDS, phases
from lccp.report.text import duration_text, gain_text, tokens_text, value_text
from lccp.report.training import HELD_OUT_BANDS, activities, router_bands, spike_sentence
from lccp_exporter.facts import ExportedFacts, watched
from lccp_exporter.measured import Measured, arrays_beside
from lccp_exporter.refresh import Runs, ShownRun
from lccp_exporter.web.answers import Problem, integer
from lccp_exporter.web.api import found, from_store, keys_of
from lccp_exporter.web.charts import HEIGHT, WIDTH, Chart, Heatmap, bounds

GRIDS_MAX = 12
"""Checkpoints that share a colour scale and can be chosen by the slider: the newest ones."""
POLICY = (
    "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
TEMPLATES = Environment(
    loader=PackageLoader("lccp_exporter.web"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.filters |= {"tokens": tokens_text, "duration": duration_text, "value": value_text}
TEMPLATES.globals |= {"words": STATE_WORDS, "bands": HELD_OUT_BANDS}
TEMPLATES.globals |= {"WIDTH": WIDTH, "HEIGHT": HEIGHT}


def routes(runs: Runs, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> list[Route]:
    """The routes of the pages over `runs`."""

    def index(_request: Request) -> Response:
        shown = [RunRow.of(run.facts, now()) for run in runs.all()]
        return _page("runs.html", rows=shown, columns=PROBES.columns(), stores=runs.stores())

    def one(request: Request) -> Response:
        return _page("run.html", **of_run(found(runs, request), now()))

    def grids(request: Request) -> Response:
        run = found(runs, request)
        tokens = integer(request, "tokens", 0, 0, 10**15)
        return _page("grids.html", maps=grids_of(run, tokens), tokens=tokens)

    path = "/runs/{namespace}/{name}"
    own = [Route("/", index), Route(path, one), Route(f"{path}/grids", grids)]
    return [*own, Route("/static/{file}", _static)]


def _page(template: str, **values: Any) -> Response:
    return HTMLResponse(TEMPLATES.get_template(template).render(**values), headers=HEADERS)


def _static(request: Request) -> Response:
    name = request.path_params["file"]
    if name not in STATIC:
        raise Problem(404, f"there is no file {name}")
    data = files("lccp_exporter.web").joinpath("static", name).read_bytes()
    return Response(data, media_type=STATIC[name], headers={"Cache-Control": "max-age=3600"})


class RunRow:
    """A run in the list."""

    def __init__(self, facts: ExportedFacts, values: Mapping[str, float], age: str) -> None:
        self.facts, self.values, self.age = facts, values, age

    @classmethod
    def of(cls, facts: ExportedFacts, now: datetime) -> "RunRow":
        values = {name: value for (name, _), value in facts.newest_values().items()}
        return cls(facts, values, age_text(facts, now))


def age_text(facts: ExportedFacts, now: datetime) -> str:
    """Time since the trainer's last heartbeat; empty before the first."""
    if facts.heartbeat is None:
        return ""
    return duration_text(max(0.0, (now - facts.heartbeat.at).total_seconds()))


def of_run(run: ShownRun, now: datetime) -> dict[str, Any]:
    """The values that a run's page shows."""
    facts, beat = run.facts, run.facts.heartbeat
    verdict = verdict_of(run)
    signals = verdict.signals if verdict else ()
    shown = {signal.name: signal for signal in (*PROBES.signals(), *signals)}
    measured = evaluated(facts)
    gains = newest_gains(verdict) if verdict else []
    return {
        "facts": facts,
        "verdict": verdict,
        "state": verdict.state if verdict else VerdictState.UNDETERMINED,
        "age": age_text(facts, now),
        "goodput": facts.ledger.goodput,
        "activities": list(activities(facts.ledger)),
        "routers": list(router_bands(beat.router)) if beat and beat.router else [],
        "held_out": beat.held_out if beat else None,
        "positions": beat.position_shares if beat else (),
        "sources": beat.loss_by_source if beat else {},
        "spikes": [spike_sentence(spike) for spike in beat.spikes] if beat else [],
        "charts": charts_of(facts, verdict),
        "gains": [(shown[g.signal], g) for g in gains if g.signal in shown],
        "gain_text": gain_text,
        "attempt_text": attempt_text,
        "branches": facts.values_of_branches(facts.watched),
        "checkpoints": [one.tokens for one in measured],
        "maps": grids_of(run, measured[-1].tokens) if measured else [],
        "values": [
            (shown.get(name), name, value) for (name, _), value in facts.newest_values().items()
        ],
    }


def newest_gains(verdict: Verdict) -> list[Gain]:
    """Gains at the newest checkpoint: the policy's signal, other watched ones, then the rest."""
    if not verdict.checkpoints:
        return []
    rank = {name: place for place, name in enumerate(watched(verdict))}
    gains = verdict.checkpoints[-1].gains
    return sorted(gains, key=lambda gain: rank.get(gain.signal, len(rank)))


def verdict_of(run: ShownRun) -> Verdict | None:
    """The stored verdict, if it can be read."""
    key = keys_of(run).verdict
    try:
        return from_store(lambda: Verdict.from_json(run.store.get(key), key))
    except Problem:
        return None


def charts_of(facts: ExportedFacts, verdict: Verdict | None) -> list[Chart]:
    """A chart for each unit of the watched signals."""
    if verdict is None:
        return []
    by_checkpoint = facts.values_by_checkpoint(facts.watched)
    panels: dict[tuple[str, str], dict[Signal, dict[int, float]]] = {}
    for name in facts.watched:
        signal = verdict.declared(name)
        course = {
            tokens: value
            for tokens, values in by_checkpoint.items()
            for (own, _), value in values.items()
            if own == name
        }
        if signal is not None and course:
            panels.setdefault((signal.unit, signal.scale), {})[signal] = course
    found = phases(verdict.checkpoints)
    return [Chart.of(signals, found) for signals in panels.values()]


def evaluated(facts: ExportedFacts) -> list[Measured]:
    """The newest checkpoints whose details can be shown, oldest first."""
    return [one for one in facts.measured if one.details][-GRIDS_MAX:]


def grids_of(run: ShownRun, tokens: int) -> list[tuple[HeatMaps, Heatmap]]:
    """The heat maps of the checkpoint at `tokens`. Raises Problem (404)."""
    measured = evaluated(run.facts)
    if tokens not in {one.tokens for one in measured}:
        raise Problem(404, f"there are no heat maps at {tokens} tokens")
    maps = []
    for probe, chart in ((n, c) for n, p in PROBES.items() for c in p.charts):
        if isinstance(chart, HeatMaps):
            details = {m.tokens: arrays(run, m, probe) for m in measured}
            having = {t: one for t, one in details.items() if one and chart.array in one}
            if tokens in having:
                colours = bounds([np.asarray(one[chart.array]) for one in having.values()])
                grid = Heatmap.of(
                    chart, having[tokens], colours, measured[-1].source_context_length
                )
                maps.append((chart, grid))
    return maps


def arrays(run: ShownRun, measured: Measured, probe: str) -> Mapping[str, Any]:
    """The arrays of `probe` beside a report; none if they can't be read."""
    try:
        found = from_store(lambda: arrays_beside(run.store, keys_of(run), measured, probe))
    except Problem:
        return {}
    return found or {}
