"""The dashboard of one run, from the table of signals."""

from collections.abc import Iterator

from lccp.contract.signals import Scale
from lccp.probes.registry import PROBES
from lccp_exporter.dashboards.board import (
    COLUMNS,
    Board,
    Panel,
    Query,
    Variable,
    against_tokens,
    heat_map,
    number,
    table,
)
from lccp_exporter.dashboards.selection import any_of, by_unit, of_run, watched_by_default
from lccp_exporter.dashboards.training import gpus, training
from lccp_exporter.metrics.cells import charts

GRAFANA_UNITS = {"share": "percentunit"}
MANY = 6
"""Signals in a panel, above which their names are beside it."""
LEGEND = {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"]}


def _head() -> Iterator[Panel]:
    yield number(
        "Verdict",
        "The verdict on the run, from all reports so far.",
        Query.by_name(f"{of_run('lccp_verdict')} == 1", "{{state}}"),
        by_name=True,
    )
    yield number(
        "Phase",
        "The run's current activity, or what it waits for.",
        Query.by_name(f"{of_run('lccp_run_phase')} == 1", "{{phase}}"),
        by_name=True,
    )
    yield number(
        "Trained",
        "Trained share of the budget.",
        Query(f"max({of_run('lccp_trained_tokens')}) / max({of_run('lccp_token_budget')})"),
        unit="percentunit",
    )
    for column in PROBES.columns():
        yield number(
            column.title,
            "At the newest checkpoint where it was measured.",
            Query.by_name(of_run("lccp_signal", f'signal="{column.signal}"')),
        )


def _signals() -> Iterator[Panel]:
    for unit, signals in by_unit(watched_by_default()).items():
        yield against_tokens(
            f"{' and '.join(signal.title for signal in signals)} against tokens",
            "By checkpoint: the newest ones.",
            of_run("lccp_checkpoint_signal", any_of(signals)),
            GRAFANA_UNITS.get(unit, ""),
            all(signal.scale is Scale.LOG for signal in signals),
        )
    for unit, signals in by_unit(list(PROBES.signals())).items():
        yield Panel(
            f"Signals in {unit}",
            "As they were known at each time.",
            [Query.by_name(of_run("lccp_signal", any_of(signals)), "{{signal}}")],
            width=COLUMNS if len(signals) > MANY else 12,
            unit=GRAFANA_UNITS.get(unit, ""),
            options={"legend": LEGEND} if len(signals) > MANY else {},
        )
    yield table(
        "All signals",
        "Every signal at the newest checkpoint where it was measured, those of external suites "
        "included.",
        [("value", f"max by (signal, band) ({of_run('lccp_signal')})")],
        {"signal": "signal", "band": "band"},
    )
    yield table(
        "Gains and their intervals",
        "Over one horizon, at the newest checkpoint. Positive is better.",
        [
            ("gain", f"max by (signal) ({of_run('lccp_signal_gain')})"),
            ("lower", f"max by (signal) ({of_run('lccp_signal_gain_lower')})"),
            ("upper", f"max by (signal) ({of_run('lccp_signal_gain_upper')})"),
            ("", f"max by (signal, state) ({of_run('lccp_signal_state')} == 1)"),
        ],
        {"signal": "signal", "state": "state"},
    )
    yield Panel(
        "Gain over one horizon",
        "As it was known at each time, and the least gain that pays. Positive is better.",
        [
            Query.by_name(of_run("lccp_signal_gain"), "{{signal}}"),
            Query.by_name(of_run("lccp_min_gain"), "least gain that pays"),
        ],
    )
    yield table(
        "Anneal branches",
        "Watched signals at the ends of branches, by the tokens of the run at which they began.",
        [("value", f"max by (branch_tokens, signal, band) ({of_run('lccp_branch_signal')})")],
        {"branch_tokens": "begins at", "signal": "signal", "band": "band"},
    )
    for probe, chart in charts():
        yield heat_map(
            chart.title,
            f"Newest evaluated checkpoint. Rows: {chart.down.title}. Columns: "
            f"{chart.across.title}.",
            of_run(f"lccp_{probe}_{chart.array}"),
            chart.down.name,
            chart.across.name,
        )


RUN = Board(
    "run",
    "LCCP run",
    "One long-context continual pre-training run: verdict, measurements of its checkpoints, "
    "training.",
    [*_head(), *_signals(), *training(), *gpus()],
    [
        Variable("namespace", "Namespace", "label_values(lccp_run_info, namespace)"),
        Variable("run", "Run", 'label_values(lccp_run_info{namespace="$namespace"}, run)'),
    ],
)
