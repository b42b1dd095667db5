"""Runs with any number of signals, checkpoints and cells, in the exporter's form."""

from collections.abc import Mapping

import a_run
import numpy as np
from reports import a_value, declared
from scraped import Scraped

from lccp.api.objects.verdict import Verdict
from lccp.contract.signals import Role
from lccp.probes.probe import HeatMaps
from lccp_exporter import exposition
from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.measured import Measured
from lccp_exporter.metrics.cells import charts


def large_verdict(names: list[str]) -> Verdict:
    """A verdict over so many signals, each of which has a role that makes it watched."""
    template = a_run.verdict()
    gain = template.checkpoints[-1].gains[0]
    gains = tuple(gain.model_copy(update={"signal": name}) for name in names)
    newest = template.checkpoints[-1].model_copy(update={"gains": gains})
    signals = tuple(
        declared("niah_ppl").model_copy(update={"name": name, "role": Role.GUARD}) for name in names
    )
    return template.model_copy(update={"checkpoints": (newest,), "signals": signals})


def worst_case(signals: int, checkpoints: int, grid: tuple[int, int]) -> ExportedFacts:
    names = [f"signal_{n:03d}" for n in range(signals)]
    report = a_run.report(0)
    part = report.probes["niah"].model_copy(
        update={
            "signals": tuple(
                a_value(declared("niah_ppl").model_copy(update={"name": name}), 2.0)
                for name in names
            )
        }
    )
    large = report.model_copy(update={"probes": {"niah": part}})
    return ExportedFacts(
        "default",
        "tiny",
        journal=a_run.journal(stopped=False),
        heartbeat=a_run.heartbeat(),
        measured=[
            Measured.of(large.model_copy(update={"tokens": tokens}))
            for tokens in range(checkpoints)
        ],
        details={name: {**grid_of(chart, grid)} for name, chart in charts()},
        judged=ExportedVerdict.of(large_verdict(names)),
    )


def grid_of(chart: HeatMaps, grid: tuple[int, int]) -> Mapping[str, np.ndarray]:
    rows, columns = grid
    axes = {chart.down.values: np.arange(rows), chart.across.values: np.arange(columns) + 1}
    return {
        chart.array: np.full(grid, 2.0),
        **{name or "": values for name, values in axes.items()},
    }


def rendered_of(facts: ExportedFacts) -> Scraped:
    return Scraped.text(b"".join(exposition.page([exposition.lines(facts)], [])).decode())
