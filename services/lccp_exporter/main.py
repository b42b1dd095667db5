"""`lccp-exporter`: the process."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import CollectorRegistry

from lccp.api.exits import ExitCode
from lccp.contract.errors import LccpError
from lccp.store.open import open_store
from lccp_exporter.collector import RunCollector
from lccp_exporter.config import ExporterConfig, parse
from lccp_exporter.facts import StoreReader
from lccp_exporter.refresh import Refresher, StoreWatch
from lccp_exporter.server import Server, application

log = logging.getLogger(__name__)


class Exporter:
    """The parts of the exporter, wired; `registry` gets its collector."""

    def __init__(self, config: ExporterConfig, registry: CollectorRegistry) -> None:
        ttl = timedelta(seconds=config.finished_ttl_seconds)
        watches = {
            store.name: StoreWatch(store.name, StoreReader(open_store(store)), ttl)
            for store in config.stores
        }
        registry.register(RunCollector(tuple(watches.values())))
        self._refresher = Refresher(watches, config.refresh_seconds)
        app = application(registry, healthy=lambda: self._refresher.alive)
        self.server = Server(config.host, config.port, app)

    def start(self) -> None:
        self._refresher.start()
        self.server.start()

    def close(self) -> None:
        self.server.close()
        self._refresher.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        config = parse(sys.argv[1:] if argv is None else argv, os.environ)
        exporter = Exporter(config, CollectorRegistry())
    except (LccpError, OSError) as error:
        print(f"lccp-exporter: {error}", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    exporter.start()
    log.info("serving http://%s:%d/metrics", config.host, exporter.server.port)
    stopped.wait()
    exporter.close()
