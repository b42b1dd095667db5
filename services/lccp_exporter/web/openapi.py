"""The OpenAPI document of the JSON API, from the types of its answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lccp.analysis.correlation import Correlations
from lccp.api.labels import INTRINSIC
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict
from lccp.contract.base import Contract
from lccp.contract.quantities import TOKENS_MAX
from lccp_exporter.web.answers import json_answer
from lccp_exporter.web.api import PREFIX, RUNS_MAX, STEP_MAX, STEPS_MAX
from lccp_exporter.web.objects import Detail, HistoryPage, RunDetail, RunPage

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Operation:
    """The request that a path accepts."""

    summary: str
    answer: type[Contract]
    query: Mapping[str, tuple[str, Schema]]
    """Parameters: what each means, and its schema."""
    errors: tuple[int, ...] = ()


def _integer(least: int, most: int, default: int | None = None) -> Schema:
    schema: Schema = {"type": "integer", "minimum": least, "maximum": most}
    return schema if default is None else schema | {"default": default}


RUN = f"{PREFIX}/runs/{{namespace}}/{{name}}"
OPERATIONS = {
    f"{PREFIX}/runs": Operation(
        "The runs of all stores, by namespace and name.",
        RunPage,
        {
            "limit": ("Runs of a page.", _integer(1, RUNS_MAX, 100)),
            "after": ("Those after this `namespace/name`.", {"type": "string"}),
        },
        (400,),
    ),
    RUN: Operation("Everything that the exporter knows about a run.", RunDetail, {}, (404,)),
    f"{RUN}/verdict": Operation("The stored verdict.", Verdict, {}, (404, 502, 503)),
    f"{RUN}/correlations": Operation(
        "Signals that move together along the run, by the stored verdict.",
        Correlations,
        {},
        (404, 502, 503),
    ),
    f"{RUN}/history": Operation(
        "Logged steps, without those that a later attempt repeated.",
        HistoryPage,
        {
            "limit": ("Steps of a page.", _integer(1, STEPS_MAX, 1_000)),
            "after": ("Those after this step.", _integer(0, STEP_MAX, 0)),
        },
        (400, 404, 502, 503),
    ),
    f"{RUN}/report": Operation(
        "The measurements at a checkpoint.",
        EvaluationReport,
        {
            "tokens": ("Its tokens; default: the newest.", _integer(0, TOKENS_MAX)),
            "suite": ("Suite of the evaluation.", {"type": "string", "default": INTRINSIC}),
        },
        (400, 404, 502, 503),
    ),
}
ERRORS = {
    400: "A parameter is invalid.",
    404: "There is no such run or object.",
    502: "The stored object is damaged or of another version.",
    503: "The store does not answer.",
}


def route() -> Route:
    """The route of the document."""
    return Route(f"{PREFIX}/openapi.json", _served)


def _served(request: Request) -> Response:
    return json_answer(request, json.dumps(document()).encode())


@cache
def document() -> Schema:
    """The document, OpenAPI 3.1."""
    models = {operation.answer for operation in OPERATIONS.values()} | {Detail}
    ordered = sorted(models, key=lambda model: model.__name__)
    names, schemas = models_json_schema(
        [(model, "serialization") for model in ordered], by_alias=True, ref_template=REFERENCE
    )
    references = {model: names[model, "serialization"] for model in ordered}
    return {
        "openapi": "3.1.0",
        "info": {"title": "LCCP exporter", "version": "v1"},
        "paths": {
            path: {"get": _operation(path, one, references)} for path, one in OPERATIONS.items()
        },
        "components": {"schemas": schemas.get("$defs", {})},
    }


def _operation(path: str, one: Operation, references: Mapping[type[Contract], Schema]) -> Schema:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in ("namespace", "name")
        if f"{{{name}}}" in path
    ]
    in_query = [
        {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
        for name, (text, schema) in one.query.items()
    ]
    responses = {
        "200": {
            "description": one.summary,
            "headers": {"ETag": {"schema": {"type": "string"}}},
            "content": {"application/json": {"schema": references[one.answer]}},
        },
        "304": {"description": "The caller has it: the ETag is one of If-None-Match."},
    }
    for status in one.errors:
        responses[str(status)] = {
            "description": ERRORS[status],
            "content": {"application/json": {"schema": references[Detail]}},
        }
    return {"summary": one.summary, "parameters": in_path + in_query, "responses": responses}
