"""The dashboard of the operator and the exporter."""

from lccp_exporter.dashboards.board import Board, Panel, Query, number

ENDED = "Completed|Saturated|DeadlineExceeded|RestartsExhausted|Configuration|NotFinite"
"""Reasons of the condition Training of runs that wait for nothing."""


def _quantile(share: float, metric: str, by: str = "") -> Query:
    labels = f"le, {by}" if by else "le"
    legend = f"p{share * 100:.0f}" + (f" {{{{{by}}}}}" if by else "")
    return Query(
        f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket[5m])))", legend
    )


OPERATOR = Board(
    "operator",
    "LCCP operator",
    "Whether the operator reconciles in time, and whether API server and stores respond.",
    [
        number(
            "Leaders", "Replicas that lead: one of each installation.", Query("sum(lccp_leading)")
        ),
        number(
            "Last reconcile",
            "How long ago.",
            Query("time() - max(lccp_last_reconcile_timestamp_seconds)"),
            unit="s",
        ),
        number("Queue", "Runs that are due for a reconcile.", Query("sum(lccp_queue_depth)")),
        number(
            "Errors",
            "Reconciles that failed within an hour.",
            Query("sum(increase(lccp_reconcile_errors_total[1h]))"),
        ),
        number("Runs exported", "By the exporter.", Query("sum(lccp_exporter_store_runs)")),
        number(
            "Store errors",
            "Readings of a store that failed within an hour.",
            Query("sum(increase(lccp_exporter_store_errors_total[1h])) or vector(0)"),
        ),
        Panel(
            "Run objects",
            "By the one-word summary of their conditions, as in kubectl.",
            [
                Query(
                    "count by (summary) (max by (namespace, run, summary) (lccp_run_summary))",
                    "{{summary}}",
                )
            ],
        ),
        Panel(
            "Run objects that wait",
            "By the reason of the condition Training, without those that ended.",
            [
                Query(
                    "count by (reason) (max by (namespace, run, reason) "
                    f'(lccp_run_condition{{type="Training", reason!~"{ENDED}"}} == 0))',
                    "{{reason}}",
                )
            ],
        ),
        Panel(
            "Duration of a reconcile",
            "At one run.",
            [
                _quantile(0.5, "lccp_reconcile_duration_seconds"),
                _quantile(0.99, "lccp_reconcile_duration_seconds"),
            ],
            unit="s",
        ),
        Panel(
            "Reconciles",
            "A second, by result.",
            [
                Query(
                    "sum by (result) (rate(lccp_reconcile_duration_seconds_count[5m]))",
                    "{{result}}",
                )
            ],
        ),
        Panel(
            "Calls of the API server",
            "99th percentile by verb.",
            [_quantile(0.99, "lccp_api_call_duration_seconds", "verb")],
            unit="s",
        ),
        Panel(
            "Calls of the stores",
            "99th percentile by method.",
            [_quantile(0.99, "lccp_store_call_duration_seconds", "method")],
            unit="s",
        ),
        Panel(
            "Age of what the exporter knows",
            "Seconds since each store was last read.",
            [
                Query(
                    "time() - max by (namespace, store) "
                    "(lccp_exporter_store_refresh_timestamp_seconds)",
                    "{{namespace}}/{{store}}",
                )
            ],
            unit="s",
        ),
        Panel(
            "Reading of a store",
            "How long the exporter's last one took.",
            [
                Query.by_name(
                    "lccp_exporter_store_refresh_duration_seconds", "{{namespace}}/{{store}}"
                )
            ],
            unit="s",
        ),
    ],
)
