"""The dashboard of one run, from the probes' own declarations."""

from lccp.contract.signals import Scale
from lccp.probes.registry import PROBES
from lccp_exporter.dashboards.run import RUN
from lccp_exporter.dashboards.selection import any_of, by_unit, watched_by_default
from lccp_exporter.metrics.cells import charts

TITLES = {panel.title: panel for panel in RUN.panels}


def test_every_query_but_those_of_gpus_is_of_that_run() -> None:
    others = [q.expression for p in RUN.panels for q in p.queries if "DCGM" not in q.expression]
    assert others
    assert [one for one in others if 'namespace="$namespace", run="$run"' not in one] == []


def test_every_signal_of_every_probe_is_in_a_panel_of_its_unit() -> None:
    units = by_unit(list(PROBES.signals()))

    assert sum(map(len, units.values())) == len(list(PROBES.signals()))
    for unit, signals in units.items():
        (query,) = TITLES[f"Signals in {unit}"].queries
        assert any_of(signals) in query.expression


def test_signals_of_short_tables_are_watched() -> None:
    names = {signal.name for signal in watched_by_default()}
    assert {column.signal for column in PROBES.columns()} <= names


def test_perplexities_alone_are_on_a_logarithmic_scale() -> None:
    for signals in by_unit(watched_by_default()).values():
        panel = TITLES[f"{' and '.join(signal.title for signal in signals)} against tokens"]
        assert bool(panel.defaults) == all(signal.scale is Scale.LOG for signal in signals)


def test_every_heat_map_with_cells_is_shown() -> None:
    assert [chart.title for _, chart in charts() if chart.title not in TITLES] == []
