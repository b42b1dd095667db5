"""A Grafana to push to, and a client of it."""

from collections.abc import Iterator

import pytest
from grafana_server import TOKEN, Held, grafana_server

from lccp_exporter.grafana.client import Grafana


@pytest.fixture
def served() -> Iterator[tuple[str, Held]]:
    with grafana_server() as server:
        yield server


@pytest.fixture
def held(served: tuple[str, Held]) -> Held:
    """What the Grafana holds."""
    return served[1]


@pytest.fixture
def grafana(served: tuple[str, Held]) -> Grafana:
    return Grafana(served[0], TOKEN, backoff_seconds=0.01)
