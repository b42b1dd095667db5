"""The run that never was, as read from a store."""

from dataclasses import replace

import a_run
import pytest

from lccp.report.details import nothing_beside
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.exhibits import Exhibit, exhibits
from lccp.store.file import FileStore


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    store = FileStore(tmp_path_factory.mktemp("store"))
    a_run.put(store, a_run.finished())
    return RunData.from_store(store, a_run.KEYS)


@pytest.fixture(scope="session")
def shown(data: RunData) -> tuple[Exhibit, ...]:
    """All figures of the run."""
    return tuple(exhibits(data, verdict_of(data)))


@pytest.fixture(scope="session")
def plain(data: RunData) -> RunData:
    """The same run with one probe and nothing beside its reports: few figures, drawn soon."""
    reports = tuple(
        report.model_copy(update={"probes": {"niah": report.probes["niah"]}})
        for report in data.reports
    )
    return replace(data, reports=reports, fetch=nothing_beside)
