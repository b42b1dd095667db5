"""The exporter's configuration: flags and environment, parsed once."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from lccp.api.invocation import StoreConfig
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput


class ExporterConfig(Contract):
    """What is exported, and where."""

    stores: Annotated[
        tuple[StoreConfig, ...], Field(min_length=1, description="Stores whose runs are exported.")
    ]
    host: Annotated[str, Field(description="Address to listen on.")] = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65_535, description="Port; 0: a free one.")] = 9_464
    refresh_seconds: Annotated[
        float, Field(gt=0, le=3_600, description="Time between two readings of a store.")
    ] = 15.0
    finished_ttl_seconds: Annotated[
        float, Field(ge=0, description="Time that a finished run keeps its series.")
    ] = 86_400.0


PARSER = argparse.ArgumentParser(
    prog="lccp-exporter",
    description="Serve the metrics of all runs in the installation's stores to Prometheus.",
    epilog="Example: lccp-exporter --store file://runs --port 9464",
)
PARSER.add_argument(
    "--store",
    action="append",
    metavar="URL",
    help="store without further settings; may be given again",
)
PARSER.add_argument(
    "--stores",
    metavar="FILE",
    help="YAML or JSON list of stores (name, url, endpoint, region, pathStyle, caFile, "
    "credentialsDirectory); environment: LCCP_STORES_FILE",
)
PARSER.add_argument("--host", help="address to listen on (0.0.0.0); LCCP_EXPORTER_HOST")
PARSER.add_argument("--port", type=int, help="port (9464); LCCP_EXPORTER_PORT")
PARSER.add_argument(
    "--refresh-seconds", type=float, help="time between two readings of a store (15)"
)
PARSER.add_argument(
    "--finished-ttl-seconds", type=float, help="time that a finished run keeps its series (86400)"
)
FROM_ENVIRONMENT = {"host": "LCCP_EXPORTER_HOST", "port": "LCCP_EXPORTER_PORT"}


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> ExporterConfig:
    """The configuration; flags win over the environment. Raises InvalidInput."""
    given = {k: v for k, v in vars(PARSER.parse_args(argv)).items() if v is not None}
    file = given.pop("stores", None) or environ.get("LCCP_STORES_FILE")
    urls = given.pop("store", [])
    stores = [{"name": url, "url": url} for url in urls] + (_listed(Path(file)) if file else [])
    if not stores:
        raise InvalidInput("no store to export: give --store URL or --stores FILE")
    named = {k: environ[v] for k, v in FROM_ENVIRONMENT.items() if v in environ}
    return ExporterConfig.parse({**named, **given, "stores": stores}, "configuration")


def _listed(path: Path) -> list[Any]:
    try:
        stores = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read: {error.strerror}") from None
    except yaml.YAMLError:
        raise InvalidInput(f"{path}: is neither YAML nor JSON") from None
    if not isinstance(stores, list):
        raise InvalidInput(f"{path}: must hold a list of stores")
    return stores
