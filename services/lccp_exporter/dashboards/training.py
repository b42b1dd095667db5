"""Panels about a run's training: the loop, its evaluations, its accelerators."""

from collections.abc import Iterator

from lccp_exporter.dashboards.board import Panel, Query
from lccp_exporter.dashboards.selection import of_run

GPU_PODS = "$run-train-a[0-9]+-.*"


def training() -> Iterator[Panel]:
    """Panels of values that the trainer and the evaluations report."""
    yield Panel(
        "Checkpoints",
        "Tokens trained, of the newest complete checkpoint, and of the newest evaluated one.",
        [
            Query.by_name(of_run("lccp_trained_tokens"), "trained"),
            Query.by_name(of_run("lccp_latest_checkpoint_tokens"), "complete"),
            Query.by_name(of_run("lccp_evaluated_checkpoint_tokens"), "evaluated"),
        ],
        unit="short",
    )
    yield Panel(
        "Loss",
        "Of the last step, nats per token.",
        [Query.by_name(of_run("lccp_training_loss"), "loss")],
    )
    yield Panel(
        "Gradient norm",
        "Global norm of the last step, before clipping.",
        [Query.by_name(of_run("lccp_gradient_norm"), "gradient norm")],
        width=6,
    )
    yield Panel(
        "Learning rate",
        "Of the last step.",
        [Query.by_name(of_run("lccp_learning_rate"), "learning rate")],
        width=6,
    )
    yield Panel(
        "Throughput",
        "Tokens per second.",
        [Query.by_name(of_run("lccp_tokens_per_second"), "tokens per second")],
        unit="short",
    )
    yield Panel(
        "Utilisation",
        "Model FLOPs utilisation (MFU); none on CPUs.",
        [Query.by_name(of_run("lccp_mfu_ratio"), "MFU")],
        unit="percentunit",
    )
    yield Panel(
        "Where the time went",
        "Wall time of all attempts by activity.",
        [Query.by_name(f"{of_run('lccp_wall_time_seconds')} > 0", "{{activity}}")],
        unit="s",
    )
    yield Panel(
        "Goodput",
        "Productive share of the wall time of all attempts.",
        [Query.by_name(of_run("lccp_goodput_ratio"), "goodput")],
        unit="percentunit",
    )
    yield Panel(
        "Spikes",
        "Steps whose loss or gradient norm was an outlier.",
        [Query.by_name(of_run("lccp_training_spikes_total"), "spikes")],
    )
    yield Panel(
        "Routers: the busiest expert",
        "Largest share of a layer's tokens that one expert got, by half of the context; none "
        "without experts.",
        [
            Query.by_name(of_run("lccp_router_busiest_share"), "{{band}}"),
            Query.by_name(of_run("lccp_router_even_share"), "even load"),
        ],
        unit="percentunit",
    )
    yield Panel(
        "Routers: entropy",
        "Lowest mean entropy of a layer's router, nats, by half of the context.",
        [Query.by_name(of_run("lccp_router_entropy_nats"), "{{band}}")],
    )
    yield Panel(
        "Loss by source",
        "Mean NLL per predicted token, nats: of the last logged steps, and of held-out documents.",
        [
            Query.by_name(of_run("lccp_source_loss_nats"), "{{source}}"),
            Query.by_name(
                of_run("lccp_held_out_loss_nats"), "{{source}}, held out, {{band}} the context"
            ),
        ],
    )
    yield Panel(
        "Positions in documents",
        "Share of the predicted tokens by position, each from its named position up to the next.",
        [Query.by_name(of_run("lccp_position_share"), "from {{start}}")],
        unit="percentunit",
    )
    yield Panel(
        "Memory",
        "Peak memory of rank 0: on its accelerator, or of its process without one.",
        [Query.by_name(of_run("lccp_peak_memory_bytes"), "peak")],
        unit="bytes",
    )
    yield Panel(
        "Work that a restart would lose",
        "Tokens since the newest complete state.",
        [Query.by_name(of_run("lccp_unsaved_tokens"), "tokens")],
        unit="short",
    )
    yield Panel(
        "Attempts that ended",
        "By cause.",
        [Query.by_name(of_run("lccp_training_attempts_ended_total"), "{{cause}}")],
    )
    yield Panel(
        "Evaluations",
        "Those of all suites that ended, by result, and checkpoints that wait for the probes.",
        [
            Query.by_name(of_run("lccp_checkpoint_evaluations"), "{{result}}"),
            Query.by_name(of_run("lccp_checkpoint_evaluations_pending"), "pending"),
        ],
    )
    yield Panel(
        "Lag of the evaluations",
        "Tokens between the newest complete checkpoint and the newest evaluated one.",
        [Query.by_name(of_run("lccp_evaluation_lag_tokens"), "tokens")],
        unit="short",
    )


def gpus() -> Iterator[Panel]:
    """The accelerators of the run, as reported by DCGM's exporter."""
    for title, metric, unit in (
        ("GPU utilisation", "DCGM_FI_DEV_GPU_UTIL", "percent"),
        ("GPU memory in use", "DCGM_FI_DEV_FB_USED", "mbytes"),
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
