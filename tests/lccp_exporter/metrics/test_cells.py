"""Metrics of heat maps: cell by cell as far as there is room, else means."""

from dataclasses import replace

from large_runs import grid_of, rendered_of, worst_case

from lccp.probes.probe import Contexts
from lccp.probes.registry import PROBES
from lccp_exporter.metrics.cells import ALL, cells, charts

CELLS = {metric.name for metric in cells()}


def test_the_grids_of_a_default_run_are_shown_cell_by_cell() -> None:
    contexts = Contexts(source=16_384, target=131_072, model=131_072)
    facts = worst_case(1, 1, (1, 1))
    grids = {"niah": (11, 12), "bio": (11, 2)}
    for name, size in grids.items():
        settings = PROBES[name].resolved(PROBES[name].usual, contexts)
        assert (len(settings.depths_percent), len(settings.lengths)) == size
    drawn = {name: grid_of(chart, grids[name]) for name, chart in charts() if name in grids}
    scraped = rendered_of(replace(facts, details=drawn))
    assert len(scraped.samples("lccp_niah_ppl")) == 132
    assert len(scraped.samples("lccp_bio_ppl")) == 22


def test_a_grid_for_which_no_room_is_left_is_shown_as_means() -> None:
    scraped = rendered_of(worst_case(1, 1, (10, 8)))
    found = {name: {s.labels.get("depth") for s in scraped.samples(name)} for name in CELLS}
    assert ALL not in found["lccp_niah_ppl"] | found["lccp_bio_ppl"]
    assert [s.labels["distance"] for s in scraped.samples("lccp_interference_ppl")] == [ALL] * 8


def test_a_large_grid_is_shown_as_means_by_length() -> None:
    shown = rendered_of(worst_case(1, 1, (21, 32))).samples("lccp_niah_ppl")
    assert len(shown) == 32
    assert {(s.labels["depth"], round(s.value, 9)) for s in shown} == {("all", 2.0)}
