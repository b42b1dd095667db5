"""The OpenAPI document: what the API answers is what it says."""

from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from served_api import over

from lccp_exporter.refresh import Runs
from lccp_exporter.web.api import routes as api_routes
from lccp_exporter.web.openapi import OPERATIONS


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = over(tmp_path_factory.mktemp("api") / "runs").client.app
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


@pytest.mark.slow
@pytest.mark.parametrize("path", OPERATIONS)
def test_every_answer_is_what_the_document_says(fuzzed: Any, path: str) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(case=fuzzed[path]["GET"].as_strategy(), exists=st.booleans())
    def asked(case: Any, exists: bool) -> None:
        if exists and "namespace" in case.path_parameters:
            case.path_parameters = {"namespace": "default", "name": "tiny"}
        case.call_and_validate()

    asked()


def test_the_document_has_every_route() -> None:
    own = {route.path for route in api_routes(Runs([]))}
    assert own == set(OPERATIONS)
