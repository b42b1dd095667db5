"""Resync: when an unchanged run is next reconciled in full."""

import math
import time
from dataclasses import dataclass
from typing import Self

from lccp_operator.intents import Plan
from lccp_operator.observed import Known, Observed
from lccp_operator.plan.finish import POLL_SECONDS
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState
from lccp_operator.workloads.training import Training

LONGEST_SECONDS = 60.0
GROWTH = 1.5
"""Growth of the time between two polls, from each to the next."""

IDLE_SECONDS = 600.0
FULL_SECONDS = 3_600.0
"""Longest time between two full reconciles of a run that is under way."""


@dataclass
class Resync:
    """The next full reconcile of an unchanged run, and how often it is polled."""

    due_at: float
    poll_seconds: float

    @classmethod
    def of(cls, plan: Plan, observed: Observed) -> Self | None:
        """The resync after a reconcile that changed nothing.

        None if the plan requests a reconcile sooner than a poll of the store, or while the store
        may change without its trainer: a workload waits, or an evaluator works.
        """
        if not plan.idle and (plan.requeue_after_seconds or 0.0) < POLL_SECONDS:
            return None
        if not isinstance(observed.workloads, Known) or not isinstance(observed.store, Known):
            return None
        if any(s.live and not _trains(w, s) for w, s in observed.workloads.value.items()):
            return None
        longest = math.inf if plan.idle else FULL_SECONDS
        due = math.inf if plan.due_after_seconds is None else plan.due_after_seconds
        wait = IDLE_SECONDS if plan.idle else POLL_SECONDS
        return cls(time.monotonic() + min(due, longest), wait)

    @property
    def is_idle(self) -> bool:
        """The run is idle: only a change of its object leads to more."""
        return self.poll_seconds >= IDLE_SECONDS

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self.due_at

    def next_poll(self) -> float:
        """Seconds until the next poll after one that saw no change; longer each time."""
        self.poll_seconds = max(self.poll_seconds, min(LONGEST_SECONDS, GROWTH * self.poll_seconds))
        return min(self.poll_seconds, max(0.0, self.due_at - time.monotonic()))


def _trains(workload: Workload, state: WorkloadState) -> bool:
    """All pods of the gang have begun: before that none of them trains."""
    begun = state.begun and state.pods_begun >= state.pods_expected
    return isinstance(workload, Training) and begun
