"""`lccp-exporter`: the process."""

import logging
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from lccp.api.exits import ExitCode
from lccp.contract.errors import LccpError
from lccp.logs import FORMAT_VARIABLE, LEVEL_VARIABLE, LogFormat, configure
from lccp.signals import SignalEvent
from lccp.store.open import open_store
from lccp_exporter.config import ExporterConfig, configuration
from lccp_exporter.exporting import Exports
from lccp_exporter.refresh import Refresher, Runs, StoreWatch
from lccp_exporter.web.server import Server, application

logger = logging.getLogger(__name__)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


class Exporter:
    """The parts of the exporter, connected."""

    def __init__(self, config: ExporterConfig) -> None:
        ttl = timedelta(seconds=config.finished_ttl_seconds)
        watches = {
            store.name: StoreWatch(store.name, open_store(store, late_credentials=True), ttl)
            for store in config.stores
        }
        self._refresher = Refresher(watches, config.refresh_seconds)
        runs = Runs(watches.values())
        self._exports = Exports(runs, config.export_seconds, Path(tempfile.gettempdir()))
        served = application(runs, lambda: self.alive, self._exports.health)
        self.server = Server(config.host, config.port, served)

    def start(self) -> None:
        self._refresher.start()
        self._exports.start()
        self.server.start()

    def close(self) -> None:
        self.server.close()
        self._refresher.close()
        self._exports.close()

    @property
    def alive(self) -> bool:
        return self._refresher.alive and self._exports.alive


@app.command()
def export(
    store: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Store without further settings; may be repeated."),
    ] = None,
    stores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="LCCP_STORES_FILE",
            help="YAML or JSON list of stores (name, url, endpoint, region, pathStyle, caFile, "
            "credentialsDirectory).",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(envvar="LCCP_EXPORTER_HOST", help="Address to listen on. Default: 0.0.0.0."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="LCCP_EXPORTER_PORT", help="Port. Default: 9464.")
    ] = None,
    refresh_seconds: Annotated[
        float | None, typer.Option(help="Seconds between two readings of a store. Default: 15.")
    ] = None,
    export_seconds: Annotated[
        float | None, typer.Option(help="Seconds between two exports to trackers. Default: 60.")
    ] = None,
    finished_ttl_seconds: Annotated[
        float | None,
        typer.Option(help="Seconds that a finished run keeps its series. Default: 86400."),
    ] = None,
    log_format: Annotated[
        LogFormat,
        typer.Option(envvar=FORMAT_VARIABLE, help="auto: text on a terminal, else JSON."),
    ] = LogFormat.AUTO,
    log_level: Annotated[
        str, typer.Option(envvar=LEVEL_VARIABLE, help="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO",
) -> None:
    """Serve the metrics of all runs in the given stores to Prometheus.

    Examples:

        lccp-exporter --store file://runs --port 9464
    """
    configure(log_format, log_level)
    stopped = SignalEvent()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    config = configuration(
        store or (),
        stores,
        host=host,
        port=port,
        refresh_seconds=refresh_seconds,
        export_seconds=export_seconds,
        finished_ttl_seconds=finished_ttl_seconds,
    )
    exporter = Exporter(config)
    exporter.start()
    logger.info("serving http://%s:%d/metrics", config.host, exporter.server.port)
    stopped.wait()
    exporter.close()


def main() -> None:
    """Entry point: serve until SIGTERM or SIGINT."""
    try:
        app(prog_name="lccp-exporter")
    except (LccpError, OSError) as error:
        print(f"lccp-exporter: {error}", file=sys.stderr)
        sys.exit(ExitCode.USAGE)
