"""Metrics of the run objects: their conditions, and requested deletions.

A run that never began has nothing in a store that an exporter could report.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lccp.api.status import LCCPRunStatus
from lccp_operator.kubernetes.workloads.seen import RunKey

LABELS = ("namespace", "run")
VALUES = {"True": 1.0, "False": 0.0, "Unknown": -1.0}


@dataclass(frozen=True)
class _State:
    summary: str
    conditions: tuple[tuple[str, str, str], ...]
    """Type, status and reason."""
    deletion_asked_at: datetime | None
    left_to: str | None


DELETED_SECONDS = 600.0
"""How long a deleted run is told, from when its store was told, too."""
LOOK_BACK_SECONDS = 300.0
"""How far rules look back: for as long a run is told that is there again."""


class RunStates(Collector):
    """The runs as last reconciled, while this replica leads: others know nothing about them."""

    def __init__(
        self, leads: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._leads, self._clock = leads, clock
        self._states: dict[RunKey, _State] = {}
        self._gone: dict[RunKey, float] = {}
        """When their deletion was last seen: until a store is told, that is again and again."""

    def note(
        self,
        key: RunKey,
        status: LCCPRunStatus,
        deletion_asked_at: datetime | None,
        left_to: str | None = None,
    ) -> None:
        """The run has this status. If it is `left_to` another installation, that one reports it."""
        conditions = tuple((c.type.value, c.status, c.reason.value) for c in status.conditions)
        left = None if status.completion_time is not None else left_to
        mine = ("", ()) if left_to else (status.summary, conditions)
        self._states[key] = _State(*mine, deletion_asked_at, left)

    def forget(self, key: RunKey) -> None:
        """The run object is gone, if there was one."""
        if key in self._states or key in self._gone:
            self.note_deleted(key)

    def note_deleted(self, key: RunKey) -> None:
        """The run object was deleted."""
        self._gone[key] = now = self._clock()
        self._states.pop(key, None)
        for other, at in self._gone.copy().items():
            if now - at >= DELETED_SECONDS + LOOK_BACK_SECONDS:
                self._gone.pop(other, None)

    def collect(self) -> Iterable[Metric]:
        conditions = GaugeMetricFamily(
            "lccp_run_condition",
            "Status of a condition of the run object: 1 True, 0 False, -1 Unknown.",
            labels=(*LABELS, "type", "reason"),
        )
        summaries = GaugeMetricFamily(
            "lccp_run_summary",
            "1 for the one-word summary of the run object's conditions, as kubectl shows it.",
            labels=(*LABELS, "summary"),
        )
        left = GaugeMetricFamily(
            "lccp_run_left_alone",
            "1 for an unfinished run that is left alone because it belongs to that installation.",
            labels=(*LABELS, "installation"),
        )
        deletions = GaugeMetricFamily(
            "lccp_run_deletion_timestamp_seconds",
            "When the deletion of the run object was requested, in seconds since 1970; absent "
            "before.",
            labels=LABELS,
        )
        gone = GaugeMetricFamily(
            "lccp_run_deleted",
            "1 until ten minutes after the run object was deleted and its store knows that; 0 if "
            "there is another one of that name by then.",
            labels=LABELS,
        )
        leads, states = self._leads(), self._states.copy()
        for key, at in self._gone.copy().items() if leads else ():
            again = key in states
            if self._clock() - at < DELETED_SECONDS + LOOK_BACK_SECONDS * again:
                gone.add_metric(key, float(not again))
        for key, state in states.items() if leads else ():
            if state.summary:
                summaries.add_metric((*key, state.summary), 1.0)
            for kind, status, reason in state.conditions:
                conditions.add_metric((*key, kind, reason), VALUES[status])
            if state.left_to is not None:
                left.add_metric((*key, state.left_to), 1.0)
            if state.deletion_asked_at is not None:
                deletions.add_metric(key, state.deletion_asked_at.timestamp())
        return conditions, summaries, left, deletions, gone
