"""What a tracker is."""

from collections.abc import Sequence
from typing import Protocol

from lccp.contract.errors import LccpError
from lccp_exporter.trackers.rows import Row, TrackedRun


class TrackerFailed(LccpError):
    """The tracker did not answer, or refused; what was logged before stays logged."""


class Tracker(Protocol):
    """Something that rows of a run are logged to; done again, it logs what is new."""

    def export(self, run: TrackedRun, rows: Sequence[Row]) -> int:
        """Log the rows that are not there yet; how many. Raises TrackerFailed, StoreUnavailable."""
