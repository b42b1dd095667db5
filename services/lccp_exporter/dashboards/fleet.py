"""The dashboard of all runs."""

from lccp_exporter.dashboards.board import Board, Panel, Query, number, table


def _by_run(expression: str) -> str:
    return f"max by (namespace, run) ({expression})"


def _labelled(metric: str, label: str) -> str:
    return f"max by (namespace, run, {label}) ({metric} == 1)"


def _total(expression: str) -> str:
    """Over all runs, each once, however many exporters report it; 0 without any."""
    return f"sum({_by_run(expression)}) or vector(0)"


def _counted(metric: str, label: str) -> Query:
    """How many runs have each value of the label."""
    each = f"max by (namespace, run, {label}) ({metric})"
    return Query(f"sum by ({label}) ({each})", f"{{{{{label}}}}}")


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
        _number(
            "Runs",
            "Runs that have series.",
            Query(f"count({_by_run('lccp_run_info')}) or vector(0)"),
        ),
        _number(
            "Training",
            "Runs that train.",
            Query(_total('lccp_run_phase{phase="Training"}')),
        ),
        _number(
            "Queued",
            "Runs that wait for their pods.",
            Query(_total('lccp_run_phase{phase="Queued"}')),
        ),
        _number(
            "Throughput",
            "Tokens per second of all runs that train.",
            Query(
                _total(
                    "lccp_tokens_per_second and on (namespace, run) "
                    'lccp_run_phase{phase="Training"} == 1'
                )
            ),
            unit="short",
        ),
        _number(
            "Tokens saved",
            "Tokens of budgets that stops made unnecessary.",
            Query(_total("lccp_saved_tokens")),
            unit="short",
        ),
        _number(
            "Accelerator-hours spent",
            "By the training of all runs, excluding time in queues.",
            Query(_total("lccp_spent_accelerator_seconds / 3600")),
            unit="short",
        ),
        _number(
            "Accelerator-hours saved",
            "Made unnecessary by stops, by each run's last throughput.",
            Query(_total("lccp_saved_accelerator_seconds / 3600")),
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
            [_counted("lccp_run_phase", "phase")],
            defaults=STACKED,
        ),
        Panel(
            "Runs by verdict",
            "How many runs have each verdict.",
            [_counted("lccp_verdict", "state")],
            defaults=STACKED,
        ),
        Panel(
            "Evaluations that wait",
            "Complete checkpoints whose evaluation has not ended, by run.",
            [Query.by_name("lccp_checkpoint_evaluations_pending", "{{namespace}}/{{run}}")],
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
