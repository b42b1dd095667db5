"""The dashboard of one run, from the table of signals."""

from collections.abc import Iterator

from lccp.contract.signals import Scale
from lccp.probes.registry import PROBES
from lccp_exporter.dashboards.board import (
    Board,
    Panel,
    Query,
    Variable,
    against_tokens,
    heat_map,
    number,
)
from lccp_exporter.dashboards.selection import any_of, by_unit, watched_by_default
from lccp_exporter.metrics.cells import charts

OF_RUN = 'namespace="$namespace", run="$run"'
GRAFANA_UNITS = {"share": "percentunit"}
GPU_PODS = "$run-train-a[0-9]+-.*"


def of_run(metric: str, matchers: str = "") -> str:
    """The metric of the run that is chosen."""
    return f"{metric}{{{OF_RUN}{', ' + matchers if matchers else ''}}}"


def _head() -> Iterator[Panel]:
    yield number(
        "Verdict",
        "What the statistics say of the run, over all reports so far.",
        Query(f"{of_run('lccp_verdict')} == 1", "{{state}}"),
        by_name=True,
    )
    yield number(
        "Phase",
        "What the run does or waits for.",
        Query(f"{of_run('lccp_run_phase')} == 1", "{{phase}}"),
        by_name=True,
    )
    yield number(
        "Trained",
        "Share of the budget that is trained.",
        Query(f"{of_run('lccp_trained_tokens')} / {of_run('lccp_token_budget')}"),
        unit="percentunit",
    )
    for column in PROBES.columns():
        yield number(
            column.title,
            "At the newest checkpoint where it was measured.",
            Query(of_run("lccp_signal", f'signal="{column.signal}"')),
        )


def _signals() -> Iterator[Panel]:
    for unit, signals in by_unit(watched_by_default()).items():
        yield against_tokens(
            f"{', '.join(signal.title for signal in signals)} against tokens",
            "By checkpoint: the newest ones.",
            of_run("lccp_checkpoint_signal", any_of(signals)),
            GRAFANA_UNITS.get(unit, ""),
            all(signal.scale is Scale.LOG for signal in signals),
        )
    for unit, signals in by_unit(list(PROBES.signals())).items():
        yield Panel(
            f"Signals in {unit}",
            "As they were known at each time.",
            [Query(of_run("lccp_signal", any_of(signals)), "{{signal}}")],
            unit=GRAFANA_UNITS.get(unit, ""),
        )
    yield Panel(
        "All signals",
        "Every signal at the newest checkpoint where it was measured, those of external suites "
        "included.",
        [Query(of_run("lccp_signal"))],
        kind="table",
        instant=True,
    )
    yield Panel(
        "Gain over one horizon",
        "With its interval, and the least gain that pays. Positive is better.",
        [
            Query(of_run("lccp_signal_gain"), "{{signal}}"),
            Query(of_run("lccp_signal_gain_lower"), "{{signal}}, lower"),
            Query(of_run("lccp_signal_gain_upper"), "{{signal}}, upper"),
            Query(of_run("lccp_min_gain"), "least gain that pays"),
        ],
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


def _training() -> Iterator[Panel]:
    yield Panel(
        "Checkpoints",
        "Tokens trained, of the newest complete checkpoint, and of the newest evaluated one.",
        [
            Query(of_run("lccp_trained_tokens"), "trained"),
            Query(of_run("lccp_latest_checkpoint_tokens"), "complete"),
            Query(of_run("lccp_evaluated_checkpoint_tokens"), "evaluated"),
        ],
        unit="short",
    )
    yield Panel(
        "Loss",
        "Of the last step, nats per token.",
        [Query(of_run("lccp_training_loss"), "loss")],
    )
    yield Panel(
        "Gradient norm and learning rate",
        "Global norm before clipping; learning rate of the last step.",
        [
            Query(of_run("lccp_gradient_norm"), "gradient norm"),
            Query(of_run("lccp_learning_rate"), "learning rate"),
        ],
    )
    yield Panel(
        "Throughput",
        "Tokens per second.",
        [Query(of_run("lccp_tokens_per_second"), "tokens per second")],
        unit="short",
    )
    yield Panel(
        "Utilisation",
        "Model FLOPs utilisation (MFU); none on CPUs.",
        [Query(of_run("lccp_mfu_ratio"), "MFU")],
        unit="percentunit",
    )
    yield Panel(
        "Where the time went",
        "Wall time of all attempts by what was done.",
        [Query(f"{of_run('lccp_wall_time_seconds')} > 0", "{{activity}}")],
        unit="s",
    )
    yield Panel(
        "Goodput",
        "Share of the wall time of all attempts that was productive.",
        [Query(of_run("lccp_goodput_ratio"), "goodput")],
        unit="percentunit",
    )
    yield Panel(
        "Spikes",
        "Steps whose loss or gradient norm stood out.",
        [Query(of_run("lccp_training_spikes_total"), "spikes")],
    )
    yield Panel(
        "Routers: the busiest expert",
        "Largest share of a layer's tokens that one expert got, by half of the context; none "
        "without experts.",
        [
            Query(of_run("lccp_router_busiest_share"), "{{band}}"),
            Query(of_run("lccp_router_even_share"), "even load"),
        ],
        unit="percentunit",
    )
    yield Panel(
        "Routers: entropy",
        "Lowest mean entropy of a layer's router, nats, by half of the context; none without "
        "experts.",
        [Query(of_run("lccp_router_entropy_nats"), "{{band}}")],
    )
    yield Panel(
        "Loss by source",
        "Mean NLL per predicted token of each source, nats, over the steps between the last two "
        "logged ones, with the last.",
        [Query(of_run("lccp_source_loss_nats"), "{{source}}")],
    )
    yield Panel(
        "Memory",
        "Most memory that rank 0 had in use: of its accelerator, or of its process without one.",
        [Query(of_run("lccp_peak_memory_bytes"), "peak")],
        unit="bytes",
    )
    yield Panel(
        "Work that a restart would lose",
        "Tokens since the newest complete state.",
        [Query(of_run("lccp_unsaved_tokens"), "tokens")],
        unit="short",
    )
    yield Panel(
        "Attempts that ended",
        "By cause.",
        [Query(of_run("lccp_training_attempts_ended_total"), "{{cause}}")],
    )
    yield Panel(
        "Evaluations",
        "Those that ended, by result, and those that wait.",
        [
            Query(of_run("lccp_checkpoint_evaluations"), "{{result}}"),
            Query(of_run("lccp_checkpoint_evaluations_pending"), "pending"),
        ],
    )
    yield Panel(
        "Lag of the evaluations",
        "Tokens between the newest complete checkpoint and the newest evaluated one.",
        [Query(of_run("lccp_evaluation_lag_tokens"), "tokens")],
        unit="short",
    )


def _gpus() -> Iterator[Panel]:
    for title, metric, unit in (
        ("GPU utilisation", "DCGM_FI_DEV_GPU_UTIL", "percent"),
        ("GPU memory in use", "DCGM_FI_DEV_FB_USED", "decmbytes"),
        ("GPU power", "DCGM_FI_DEV_POWER_USAGE", "watt"),
        ("GPU temperature", "DCGM_FI_DEV_GPU_TEMP", "celsius"),
    ):
        yield Panel(
            title,
            "Of the accelerators that the training's pods hold, by the DCGM exporter, whether or "
            "not its scrape honours labels.",
            [
                Query(
                    f'{metric}{{exported_namespace="$namespace", exported_pod=~"{GPU_PODS}"}} '
                    f'or {metric}{{namespace="$namespace", pod=~"{GPU_PODS}"}}',
                    "{{Hostname}} {{gpu}}",
                )
            ],
            width=6,
            height=7,
            unit=unit,
        )


RUN = Board(
    "run",
    "LCCP run",
    "One long-context continual pre-training run: verdict, measurements of its checkpoints, "
    "training.",
    [*_head(), *_signals(), *_training(), *_gpus()],
    [
        Variable("namespace", "Namespace", "label_values(lccp_run_info, namespace)"),
        Variable("run", "Run", 'label_values(lccp_run_info{namespace="$namespace"}, run)'),
    ],
)
