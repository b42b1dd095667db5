"""The exporter's API over a store that holds a running run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import a_run
from recorded_store import RecordedStore
from starlette.testclient import TestClient

from lccp_exporter.refresh import Runs, StoreWatch
from lccp_exporter.web.server import application


@dataclass
class Api:
    """The API over a store."""

    client: TestClient
    store: RecordedStore
    watch: StoreWatch

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})


def over(folder: Path) -> Api:
    store = RecordedStore(folder)
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[6], at=a_run.START))
    watch = StoreWatch("default", store, a_run.timedelta(days=1))
    watch.refresh()
    app = application(Runs([watch]), healthy=lambda: True)
    return Api(TestClient(app, raise_server_exceptions=True), store, watch)
