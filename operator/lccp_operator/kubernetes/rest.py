"""Rest: when a run at which nothing changes has to be looked at in full again."""

import math
import time
from dataclasses import dataclass
from typing import Self

from lccp_operator.children import Training
from lccp_operator.intents import Plan
from lccp_operator.observed import ChildState, Known, Observed
from lccp_operator.plan.finish import POLL_SECONDS

LONGEST_SECONDS = 60.0
GROWTH = 1.5
"""Of the time between two cheap looks, from each to the next."""

AT_REST_SECONDS = 600.0
FULL_SECONDS = 3_600.0
"""Longest time between two full looks at a run that is under way."""


@dataclass
class Rest:
    """A run at which nothing changes: when its rest ends by itself, and how often it is polled."""

    ends_at: float
    wait_seconds: float

    @classmethod
    def of(cls, plan: Plan, observed: Observed) -> Self | None:
        """The rest after a look that changed nothing.

        None if the plan asks for a look sooner than a poll of the store, or while the store may
        change without its trainer: a child waits, or an evaluator works.
        """
        if not plan.at_rest and (plan.look_again_after_seconds or 0.0) < POLL_SECONDS:
            return None
        if not isinstance(observed.children, Known) or not isinstance(observed.store, Known):
            return None
        if any(state.live and not _trains(state) for state in observed.children.value):
            return None
        longest = math.inf if plan.at_rest else FULL_SECONDS
        due = math.inf if plan.due_after_seconds is None else plan.due_after_seconds
        wait = AT_REST_SECONDS if plan.at_rest else POLL_SECONDS
        return cls(time.monotonic() + min(due, longest), wait)

    @property
    def over(self) -> bool:
        """The run is at its end, too: nothing more is to come of it."""
        return self.wait_seconds >= AT_REST_SECONDS

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self.ends_at

    def prolong(self) -> float:
        """Seconds until the next look, after one that saw nothing new."""
        self.wait_seconds = max(self.wait_seconds, min(LONGEST_SECONDS, GROWTH * self.wait_seconds))
        return min(self.wait_seconds, max(0.0, self.ends_at - time.monotonic()))


def _trains(state: ChildState) -> bool:
    return isinstance(state.child, Training) and state.begun
