"""The interface of a tracker."""

from collections.abc import Sequence
from typing import Protocol

from lccp.contract.errors import LccpError
from lccp_exporter.trackers.rows import TrackedRow, TrackedRun


class TrackerFailed(LccpError):
    """The tracker did not answer, or refused; rows logged before stay logged."""


class Tracker(Protocol):
    """A service to which rows of a run are logged; a repetition logs only new ones."""

    def export(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        """Log new rows; returns how many. Raises TrackerFailed, StoreUnavailable."""
