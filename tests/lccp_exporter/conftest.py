"""A store that holds one running run, the watch that reads it, and what is scraped of it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import a_run
import pytest
from scraped import Scraped

from lccp.store.file import FileStore
from lccp_exporter.refresh import Runs, StoreWatch

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store's folder, of which every test gets a copy: it is faster to copy than to write."""
    folder = tmp_path_factory.mktemp("original") / "runs"
    a_run.put(FileStore(folder), a_run.running(a_run.CHECKPOINTS[6], at=NOW))
    return folder


@pytest.fixture
def store(tmp_path: Path, original: Path) -> FileStore:
    return FileStore(shutil.copytree(original, tmp_path / "runs"))


@pytest.fixture
def watch(store: FileStore) -> StoreWatch:
    watch = StoreWatch("default", store, timedelta(days=1), now=lambda: NOW)
    watch.refresh()
    return watch


@pytest.fixture
def value(watch: StoreWatch) -> Callable[..., float | None]:
    """The value of a series of the run, by its name and further labels."""
    scraped = Scraped.of(Runs([watch]))

    def sample(name: str, **labels: str) -> float | None:
        return scraped.value(name, namespace="default", run="tiny", **labels)

    return sample
