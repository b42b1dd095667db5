"""Which signals a panel shows."""

import re

from lccp.contract.signals import Role
from lccp.probes.registry import PROBES
from lccp_exporter.dashboards.selection import any_of, by_unit, of_run, watched_by_default


def test_signals_of_one_unit_share_a_panel() -> None:
    grouped = by_unit(PROBES.signals())
    assert [s for group in grouped.values() for s in group if s.unit == "PPL"] == grouped["PPL"]
    assert sum(map(len, grouped.values())) == len(PROBES.signals())


def test_what_the_verdict_is_about_is_watched_and_so_are_columns() -> None:
    watched = watched_by_default()
    assert {s.name for s in PROBES.signals() if s.role is Role.PRIMARY} <= {s.name for s in watched}
    assert {column.signal for column in PROBES.columns()} <= {s.name for s in watched}
    assert len(watched) < len(PROBES.signals())


def test_a_matcher_finds_just_the_signals() -> None:
    some = PROBES.signals()[:3]
    pattern = re.fullmatch(r'signal=~"(.*)"', any_of(some))
    assert pattern is not None
    found = [s.name for s in PROBES.signals() if re.fullmatch(pattern[1], s.name)]
    assert found == [s.name for s in some]


def test_a_metric_is_that_of_the_run_that_is_chosen() -> None:
    assert of_run("lccp_mfu_ratio") == 'lccp_mfu_ratio{namespace="$namespace", run="$run"}'
    assert of_run("a", 'b="c"') == 'a{namespace="$namespace", run="$run", b="c"}'
