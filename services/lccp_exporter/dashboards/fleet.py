"""The dashboard of all runs."""

from lccp_exporter.dashboards.board import Board, Panel, Query, number, table


def _by_run(expression: str) -> str:
    return f"max by (namespace, run) ({expression})"


def _labelled(metric: str, label: str) -> str:
    return f"max by (namespace, run, {label}) ({metric} == 1)"


def _number(title: str, description: str, query: Query, unit: str = "") -> Panel:
    """One of the eight in a row."""
    return number(title, description, query, width=3, unit=unit)


TABLE = table(
    "Runs",
    "Phase, verdict, tokens, budget, throughput, and seconds since the last heartbeat.",
    [
        ("", _labelled("lccp_run_phase", "phase")),
        ("", _labelled("lccp_verdict", "state")),
        ("tokens", _by_run("lccp_trained_tokens")),
        ("budget", _by_run("lccp_token_budget")),
        ("tokens per second", _by_run("lccp_tokens_per_second")),
        (
            "seconds since heartbeat",
            _by_run("time() - lccp_last_heartbeat_timestamp_seconds"),
        ),
    ],
    {"namespace": "namespace", "run": "run", "phase": "phase", "state": "verdict"},
    width=24,
    height=10,
    unit="short",
)

STACKED = {"custom": {"stacking": {"mode": "normal"}, "fillOpacity": 40}}

FLEET = Board(
    "fleet",
    "LCCP fleet",
    "All runs: their activity, their verdicts, and what needs attention.",
    [
        _number("Runs", "Runs that have series.", Query("count(lccp_run_info)")),
        _number(
            "Training",
            "Runs that train.",
            Query('sum(lccp_run_phase{phase="Training"})'),
        ),
        _number(
            "Queued",
            "Runs that wait for their pods.",
            Query('sum(lccp_run_phase{phase="Queued"})'),
        ),
        _number(
            "Throughput",
            "Tokens per second of all runs that train.",
            Query(
                "sum(lccp_tokens_per_second and on (namespace, run) "
                'lccp_run_phase{phase="Training"} == 1) or vector(0)'
            ),
            unit="short",
        ),
        _number(
            "Tokens saved",
            "Tokens of budgets that stops made unnecessary.",
            Query("sum(lccp_saved_tokens) or vector(0)"),
            unit="short",
        ),
        _number(
            "Accelerator-hours spent",
            "By the training of all runs, excluding time in queues.",
            Query("sum(lccp_spent_accelerator_seconds) / 3600 or vector(0)"),
            unit="short",
        ),
        _number(
            "Accelerator-hours saved",
            "Made unnecessary by stops, by each run's last throughput.",
            Query("sum(lccp_saved_accelerator_seconds) / 3600 or vector(0)"),
            unit="short",
        ),
        _number(
            "Alerts",
            "Alerts of LCCP that fire.",
            Query('count(ALERTS{alertname=~"LCCP.*", alertstate="firing"}) or vector(0)'),
        ),
        TABLE,
        Panel(
            "Runs by phase",
            "How many runs are in each phase.",
            [Query("sum by (phase) (lccp_run_phase)", "{{phase}}")],
            defaults=STACKED,
        ),
        Panel(
            "Runs by verdict",
            "How many runs have each verdict.",
            [Query("sum by (state) (lccp_verdict)", "{{state}}")],
            defaults=STACKED,
        ),
        Panel(
            "Evaluations that wait",
            "Complete checkpoints whose evaluation has not ended, by run.",
            [Query("lccp_checkpoint_evaluations_pending", "{{namespace}}/{{run}}")],
        ),
        Panel(
            "Attempts that failed",
            "Over a day, by cause, excluding drains and disruptions.",
            [
                Query(
                    "sum by (cause) (increase(lccp_training_attempts_ended_total"
                    '{cause!~"Completed|Drained|Terminated|Disrupted"}[1d]))',
                    "{{cause}}",
                )
            ],
        ),
    ],
)
