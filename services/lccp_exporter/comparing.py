"""Results of the arrays beside a run's reports: of the newest one, and of several compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from lccp.api.labels import INTRINSIC
from lccp.probes.probe import Details
from lccp.report.details import CheckpointDetails, between
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_exporter.measured import Measured, arrays_beside
from lccp_exporter.metrics.cells import cell_arrays


@dataclass(frozen=True)
class Compared:
    """Results from the arrays beside a run's reports."""

    details: dict[str, Details]
    values: dict[str, dict[int, float]]


@dataclass
class Comparison:
    """Compares the reports of one run; anew only if these changed."""

    store: Store
    keys: RunKeys
    reports: Sequence[Measured] = ()
    """The reports from which `compared` follows."""
    compared: Compared = Compared({}, {})

    def of(self, measured: Sequence[Measured]) -> Compared:
        """The results of these reports, oldest first. Raises as a store does."""
        if not _same(self.reports, measured):
            own = [m for m in measured if m.suite == INTRINSIC]
            self.compared = Compared(self._details(own), self._values(own))
            self.reports = measured
        return self.compared

    def forget(self) -> None:
        """Drop reports and results."""
        self.reports, self.compared = (), Compared({}, {})

    def _details(self, measured: Sequence[Measured]) -> dict[str, Details]:
        """Arrays of the newest checkpoint from which cells are made."""
        newest = measured[-1].details if measured else {}
        wanted = {name: arrays for name in newest if (arrays := cell_arrays(name))}
        read = {
            name: arrays_beside(self.store, self.keys, measured[-1], name, arrays)
            for name, arrays in wanted.items()
        }
        return {name: details for name, details in read.items() if details is not None}

    def _values(self, measured: Sequence[Measured]) -> dict[str, dict[int, float]]:
        """Signals that compare checkpoints, of all probes."""

        def parts(name: str) -> list[CheckpointDetails]:
            found = ((m, arrays_beside(self.store, self.keys, m, name)) for m in measured)
            return [
                CheckpointDetails(m.tokens, m.details[name].version, m.details[name].settings, d)
                for m, d in found
                if d is not None
            ]

        return between(parts)


def _same(before: Sequence[Measured], now: Sequence[Measured]) -> bool:
    """Whether the reports are identical objects; a report that was read again is another one."""
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))
