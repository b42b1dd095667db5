"""A third probe, registered like any other, and the places where it appears: printed as JSON.

It runs in a separate process, because the registry is frozen once the manifest is made from it.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.signals import Better, Role, Scale, Signal
from lccp.probes.probe import Axis, ClusterKind, Column, HeatMaps, Need, Probe, SignalCurves
from lccp.probes.registry import PROBES

if TYPE_CHECKING:
    from lccp.api.objects.report import EvaluationReport


class ColourSettings(Contract):
    """How colours are asked for."""

    shades: Annotated[int, Field(ge=1, le=9, description="Shades of every colour.")] = 3


SIGNAL = Signal(
    name="colour_ppl",
    title="Colour PPL",
    unit="PPL",
    scale=Scale.LOG,
    better=Better.LOWER,
    role=Role.GUARD,
)
MAP = HeatMaps(
    "Colours by shade",
    "Bright cells are hard colours.",
    array="ppl",
    unit="PPL",
    down=Axis("hue", "hue", "hues"),
    across=Axis("shade", "shade", "shades"),
)
PROBE = Probe(
    name="colour",
    description="Colours that follow from others.",
    definition="Colours, after nobody.",
    version=1,
    settings=ColourSettings,
    default=ColourSettings(),
    needs=(Need("niah"),),
    signals=lambda settings: (SIGNAL,),
    clusters=lambda settings: (ClusterKind("document", settings.shades, "Text"),),
    columns=(Column("colour_ppl", "Colour"),),
    charts=(
        SignalCurves("Colours against tokens", "They fall.", (("colour_ppl",),)),
        MAP,
    ),
)


DETAILS = {
    "hues": np.array([0, 1]),
    "shades": np.array([1, 2]),
    "ppl": np.array([[1.5, 2.0], [2.5, 3.0]]),
}


def measured(report: "EvaluationReport") -> "EvaluationReport":
    """The report with the probe's measurements, which become worse from step to step."""
    import a_run
    from reports import a_value, part

    ppl = 2.0 + 0.01 * report.tokens / a_run.STEP_TOKENS
    clusters = {"document": [ppl * (1 + 0.001 * i) for i in (-1, 0, 1)]}
    own = part("colour", {"shades": 3}, [a_value(SIGNAL, ppl, clusters)], DETAILS)
    return report.model_copy(update={"probes": {**report.probes, "colour": own}})


def latest_values() -> dict[str, str]:
    """Of the status that the operator writes for a run with an evaluated checkpoint."""
    from operator_world import KEYS, World, a_small_run

    from lccp.analysis.verdict import judge
    from lccp.store import objects

    world = World(a_small_run(), judge)
    for _ in range(4):
        world.reconcile()
        world.pass_time()
        world.train()
        world.evaluate()
    for report in objects.reports(world.store, KEYS):
        world.store.put(KEYS.report(report.tokens), measured(report).to_json())
    world.reconcile()
    assert world.run.status is not None
    assert world.run.status.latest is not None
    return world.run.status.latest.values


def planned_clusters() -> dict[str, int]:
    """Of the plan of a run that the probe leads."""
    import a_run

    from lccp.analysis.policy import policy_of_run
    from lccp.api.run import LCCPRun
    from lccp_cli.commands.plan import planned

    document = a_run.manifest(
        evaluation={"probes": {"colour": {"shades": 5}}},
        saturation={"signals": [{"name": "colour_ppl"}]},
    )
    run = LCCPRun.parse(document, "manifest")
    found = planned(run, policy_of_run(run), "colour_ppl", jitter=0.3)
    assert not isinstance(found, str), found
    return dict(found.design.clusters)


def seen(folder: Path) -> dict[str, bool]:
    """Where the probe's settings and signals appear, once it is registered."""
    import a_run
    from scraped import Scraped

    from lccp.analysis.comparison import compare
    from lccp.analysis.policy import policy_of_run
    from lccp.analysis.verdict import judge
    from lccp.api.crd import crd
    from lccp.api.run import LCCPRun
    from lccp.report.load import RunData
    from lccp.report.page.render import render
    from lccp.store.file import FileStore
    from lccp_cli.output.console import checkpoint_line
    from lccp_exporter.dashboards.run import RUN
    from lccp_exporter.refresh import Runs, StoreWatch
    from reference.contract import render_reference
    from reference.metrics import render as render_metrics

    reports = [measured(report) for report in a_run.reports()]
    run = a_run.run()
    verdict = judge(reports, policy_of_run(run))
    store = FileStore(folder)
    stored = a_run.finished()
    a_run.put(store, type(stored)(tuple(reports), stored.history, verdict, None, stored.journal))
    for report in reports:
        key = f"{a_run.KEYS.evaluation(report.tokens)}colour.npz"
        store.put(key, a_run.packed(DETAILS))
    (version,) = crd()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    watch = StoreWatch("default", store, a_run.timedelta(days=9_999))
    watch.refresh()
    scraped = Scraped.of(Runs([watch]))
    labels = {"namespace": "default", "run": "tiny"}
    document = a_run.manifest(evaluation={"probes": {"colour": {"shades": 5}}})
    asked = LCCPRun.parse(document, "manifest").spec.evaluation.probes.asked()
    data = RunData.from_store(store, a_run.KEYS)
    alone = [r.model_copy(update={"probes": {"colour": r.probes["colour"]}}) for r in data.reports]
    page = render(replace(data, reports=tuple(alone)))
    return {
        "manifest": asked["colour"] == ColourSettings(shades=5),
        "crd": "colour" in spec["evaluation"]["properties"]["probes"]["properties"],
        "kubectl column": any(
            column["jsonPath"] == ".status.latest.values.colour_ppl"
            for column in version["additionalPrinterColumns"]
        ),
        "reference of the manifest": "probes.colour.shades" in render_reference(),
        "plan": planned_clusters() == {"document": 5},
        "status": "colour_ppl" in latest_values(),
        "comparison": "colour_ppl"
        in [one.signal.name for one in compare(reports[0], reports[-1]).differences],
        "dashboard": "colour_ppl" in json.dumps(RUN.json()),
        "verdict values": "colour_ppl" in verdict.checkpoints[-1].values,
        "verdict gains": verdict.checkpoints[-1].gain("colour_ppl") is not None,
        "verdict as a guard": verdict.state.value == "Regressing",
        "evidence": "Colour PPL" in verdict.evidence[0],
        "report table": "Colour PPL" in page,
        "report chart over tokens": "Colours against tokens" in page,
        "report heat map": "Colours by shade" in page,
        "terminal": "Colour PPL" in checkpoint_line(verdict.checkpoints[-1], verdict),
        "metric of the signal": scraped.value("lccp_signal", **labels, signal="colour_ppl", band="")
        is not None,
        "metric of its gain": scraped.value("lccp_signal_gain", **labels, signal="colour_ppl")
        is not None,
        "metric of its cells": scraped.value("lccp_colour_ppl", **labels, hue="001", shade="002")
        == 3.0,
        "reference of the metrics": "lccp_colour_ppl" in render_metrics(),
    }


if __name__ == "__main__":
    PROBES.add(PROBE)
    print(json.dumps(seen(Path(sys.argv[1]))))
