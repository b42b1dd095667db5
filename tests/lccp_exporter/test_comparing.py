"""The arrays beside reports are read, and compared, once for the same reports."""

from datetime import UTC, datetime
from pathlib import Path

import a_run
from recorded_store import RecordedStore

from lccp_exporter.comparing import Compared, Comparison
from lccp_exporter.measured import Measured

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_arrays_are_read_again_only_for_other_reports(tmp_path: Path) -> None:
    store, stored = RecordedStore(tmp_path), a_run.running(a_run.CHECKPOINTS[2], at=NOW)
    a_run.put(store, stored)
    measured = tuple(Measured.of(report) for report in stored.reports)
    comparison = Comparison(store, a_run.KEYS)

    found = comparison.of(measured)
    assert set(found.details) <= set(measured[-1].details)
    assert found.details
    of = {tokens for values in found.values.values() for tokens in values}
    assert of <= {one.tokens for one in measured}
    store.read = []
    assert comparison.of(measured) is found
    assert store.read == []

    assert comparison.of(measured[:-1]).values != found.values
    assert store.read
    comparison.forget()
    assert comparison.compared == Compared({}, {})
