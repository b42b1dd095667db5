"""The exporter's configuration."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from lccp.api.invocation import StoreConfig
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.yaml_files import document


class ExporterConfig(Contract):
    """The stores that are exported, and the address."""

    stores: Annotated[
        tuple[StoreConfig, ...], Field(min_length=1, description="Stores whose runs are exported.")
    ]
    host: Annotated[str, Field(description="Address to listen on.")] = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65_535, description="Port; 0: a free one.")] = 9_464
    refresh_seconds: Annotated[
        float, Field(gt=0, le=3_600, description="Time between two readings of a store.")
    ] = 15.0
    export_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="Time between two exports to trackers.")
    ] = 60.0
    finished_ttl_seconds: Annotated[
        float, Field(ge=0, description="Time that a finished run keeps its series.")
    ] = 86_400.0


def configuration(urls: Sequence[str], file: Path | None, **settings: Any) -> ExporterConfig:
    """The configuration with the stores of `urls` and `file`.

    Args:
        urls: stores without further settings, named by their URL.
        file: YAML or JSON list of stores.
        settings: by field name; one of None takes its default.

    Raises:
        InvalidInput: the file can't be read, a setting is invalid, or there is no store.
    """
    stores = [{"name": url, "url": url} for url in urls] + (_listed(file) if file else [])
    if not stores:
        raise InvalidInput("no store to export: give --store URL or --stores FILE")
    given = {name: value for name, value in settings.items() if value is not None}
    return ExporterConfig.parse({**given, "stores": stores}, "configuration")


def _listed(path: Path) -> list[Any]:
    stores = document(path)
    if not isinstance(stores, list):
        raise InvalidInput(f"{path}: must be a list of stores")
    return stores
