"""The CRD: current, bounded, described, and displayed well by kubectl."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apiserver import ApiServer
from manifests import BASE

from lccp.api.causes import Cause
from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.crd import crd, identity, render_crd
from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.verdict import VerdictState
from lccp.api.run import LCCPRun
from lccp.api.status import CheckpointStatus, LCCPRunStatus, ProgressStatus, VerdictStatus
from lccp.contract.cel import VALIDATIONS
from lccp.contract.changes import Change
from lccp.contract.schema import Field, Schema, fields, structural

ROOT = Path(__file__).parents[3]
RUNS = "/apis/lccp.io/v1alpha1/namespaces/default/lccpruns"
SCHEMA = structural(LCCPRun)
SPEC: Schema = SCHEMA["properties"]["spec"]
STATUS: Schema = SCHEMA["properties"]["status"]


@pytest.fixture(scope="module")
def server(apiserver: ApiServer) -> ApiServer:
    apiserver.install_crd(crd())
    return apiserver


@pytest.mark.slow
def test_the_file_is_current() -> None:
    assert (ROOT / "crds" / "lccpruns.lccp.io.yaml").read_text() == render_crd()


def values(schema: Schema, path: str = "") -> list[tuple[str, Schema]]:
    """Every schema below, those of items and of map values included."""
    found = [(path, schema)]
    for name, value in schema.get("properties", {}).items():
        found += values(value, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            found += values(schema[key], f"{path}[]")
    return found


def bound(schema: Schema) -> set[str]:
    """The bounds that a value of this kind must have."""
    if "x-kubernetes-int-or-string" in schema:
        return {"maxLength"}
    if "enum" in schema or "format" in schema:
        return set()
    if schema["type"] == "object":
        return {"maxProperties"} if "additionalProperties" in schema else set()
    return {"string": {"maxLength"}, "array": {"maxItems"}, "integer": {"minimum"}}.get(
        schema["type"], set()
    )


@pytest.mark.parametrize("schema", [SPEC, STATUS], ids=["spec", "status"])
def test_every_value_is_bounded(schema: Schema) -> None:
    assert [path for path, value in values(schema) if not bound(value) <= set(value)] == []


def test_every_integer_of_the_spec_has_both_bounds() -> None:
    integers = [(path, v) for path, v in values(SPEC) if v.get("type") == "integer"]
    assert len(integers) > 20
    assert [path for path, v in integers if not {"minimum", "maximum"} <= set(v)] == []


@pytest.mark.parametrize("schema", [SPEC, STATUS], ids=["spec", "status"])
def test_no_bound_overflows_in_the_api_server(schema: Schema) -> None:
    """It reads them as float64, in which 2**63 - 1 is more than an integer can be."""
    bounds = [(p, v[key]) for p, v in values(schema) for key in ("minimum", "maximum") if key in v]
    assert [path for path, limit in bounds if abs(limit) > 2**53] == []


@pytest.mark.parametrize("schema", [SPEC, STATUS], ids=["spec", "status"])
def test_every_field_is_described(schema: Schema) -> None:
    descriptions = [(f.path, f.schema.get("description", "")) for f in fields(schema)]
    assert [path for path, text in descriptions if not text.endswith((".", "…"))] == []


def test_seconds_say_that_they_are_seconds() -> None:
    named = [f for f in fields(SPEC) if f.path.endswith("Seconds")]
    assert named
    assert [f.path for f in named if "second" not in f.schema["description"]] == []


@pytest.mark.slow
def test_a_structural_schema_holds_no_reference_and_no_null() -> None:
    text = render_crd()
    assert "$ref" not in text
    assert "type: 'null'" not in text
    assert "x-lccp-" not in text
    assert "additionalProperties: false" not in text


def covered(field: Field, tops: set[str]) -> bool:
    return any(field.path == top or field.path.startswith((f"{top}.", f"{top}[")) for top in tops)


LEAVES = [field for field in fields(SPEC) if "properties" not in field.schema]


def test_every_field_declares_when_its_change_takes_effect() -> None:
    assert [f.path for f in LEAVES if f.change is None] == []
    assert [f.path for f in fields(STATUS) if f.change is not None] == []


def test_the_identity_alone_is_forbidden_to_change() -> None:
    tops = {field.path for field in identity(SPEC)}
    judged = {field.path for field in LEAVES if covered(field, tops)}
    assert judged == {field.path for field in LEAVES if field.change is Change.IDENTITY}


def test_a_field_whose_changes_a_rule_limits_says_how() -> None:
    limited = [
        f for f in LEAVES if any("oldSelf" in r["rule"] for r in f.schema.get(VALIDATIONS, ()))
    ]
    assert ".saturation.gate" in [field.path for field in limited]
    assert [field.path for field in limited if not field.how] == []


def test_what_is_forbidden_to_change_is_in_every_stored_object() -> None:
    assert [f.path for f in identity(SPEC) if not (f.required or "default" in f.schema)] == []


def a_status(state: VerdictState, tokens: int) -> LCCPRunStatus:
    condition = Condition(
        type=ConditionType.TRAINING,
        status="True",
        reason=Reason.RUNNING,
        message="Attempt 1 trains.",
        last_transition_time=datetime(2026, 1, 5, tzinfo=UTC),
    )
    checkpoint = CheckpointStatus(
        tokens=tokens,
        evaluation="Succeeded",
        values={"niah_ppl": "1.0832", "niah_score": "1.000", "retrieval_heads": "112"},
    )
    ended = AttemptRecord(
        number=1,
        started_at=datetime(2026, 1, 4, tzinfo=UTC),
        ended_at=datetime(2026, 1, 5, tzinfo=UTC),
        cause=Cause.HANG,
        counted=True,
        seconds={"productive": 86_000, "waitingForData": 400},
    )
    return LCCPRunStatus(
        conditions=(condition,),
        attempts=(ended,),
        progress=ProgressStatus(tokens=tokens, tokens_total=2 * tokens, percent=50),
        checkpoints=(checkpoint,),
        latest=checkpoint,
        verdict=VerdictStatus(state=state, gain="0.0312", advice="Go on."),
    )


@pytest.fixture
def run(server: ApiServer) -> Any:
    created = server.call("POST", RUNS, BASE | {"metadata": {"name": "hunyuan-a13b-64k"}})
    assert created.code == 201, created.message
    yield created.body
    server.call("DELETE", f"{RUNS}/hunyuan-a13b-64k")


def write_status(server: ApiServer, run: Any, status: LCCPRunStatus) -> dict[str, Any]:
    body = run | {"status": status.document()}
    answer = server.call("PUT", f"{RUNS}/hunyuan-a13b-64k/status?fieldValidation=Strict", body)
    assert answer.code == 200, answer.message
    return answer.body


@pytest.mark.apiserver
def test_kubectl_applies_the_file(server: ApiServer) -> None:
    assert "serverside-applied" in server.kubectl(
        *("apply", "--server-side", "--force-conflicts", f"--filename={ROOT / 'crds'}")
    )


@pytest.mark.apiserver
def test_a_status_comes_back_as_it_was_written(server: ApiServer, run: Any) -> None:
    status = a_status(VerdictState.IMPROVING, 100_000_000_000)
    stored = write_status(server, run, status)
    assert LCCPRun.parse(stored, "server").status == status


@pytest.mark.apiserver
def test_the_status_is_written_only_by_its_subresource(server: ApiServer, run: Any) -> None:
    body = run | {"status": a_status(VerdictState.IMPROVING, 5).document()}
    answer = server.call("PUT", f"{RUNS}/hunyuan-a13b-64k", body)
    assert answer.code == 200, answer.message
    assert "status" not in answer.body


@pytest.mark.apiserver
def test_the_table_fits_in_80_columns(server: ApiServer, run: Any) -> None:
    write_status(server, run, a_status(VerdictState.SATURATED, 100_000_000_000))
    head, row = server.kubectl("get", "lccpruns").splitlines()
    assert head.split() == ["NAME", "STATUS", "TOKENS", "NIAH-PPL", "HEADS", "VERDICT", "AGE"]
    assert row.split()[:6] == ["hunyuan-a13b-64k", "Training", "100B", "1.0832", "112", "Saturated"]
    assert max(len(head), len(row)) <= 80


@pytest.mark.apiserver
def test_the_wide_table_shows_more(server: ApiServer, run: Any) -> None:
    write_status(server, run, a_status(VerdictState.DECEPTIVELY_SATURATED, 100_000_000_000))
    head, row = server.kubectl("get", "lccpruns", "-o", "wide").splitlines()
    assert head.split()[7:] == ["SCORE", "PERCENT", "GAIN", "ATTEMPT", "ADVICE"]
    assert row.split()[7:9] == ["1.000", "50"]


@pytest.mark.apiserver
@pytest.mark.parametrize("name", ["lccp", "lccprun", "lccpruns.v1alpha1.lccp.io"])
def test_the_run_is_found_by_name(server: ApiServer, run: Any, name: str) -> None:
    assert "hunyuan-a13b-64k" in server.kubectl("get", name, "-o", "name")


@pytest.mark.apiserver
def test_kubectl_explains_every_field(server: ApiServer) -> None:
    text = server.kubectl("explain", "lccprun.spec.training.learningRate")
    assert "Learning rate after the warm-up" in text


@pytest.mark.apiserver
def test_conditions_of_two_writers_do_not_replace_each_other(server: ApiServer, run: Any) -> None:
    path = f"{RUNS}/hunyuan-a13b-64k/status?force=true"
    for kind in ("Training", "Evaluating"):
        condition = {
            "type": kind,
            "status": "True",
            "reason": "Running",
            "lastTransitionTime": "2026-01-05T00:00:00Z",
        }
        body = {
            "apiVersion": "lccp.io/v1alpha1",
            "kind": "LCCPRun",
            "metadata": {"name": "hunyuan-a13b-64k"},
            "status": {"conditions": [condition]},
        }
        answer = server.call(
            "PATCH", f"{path}&fieldManager={kind}", body, "application/apply-patch+yaml"
        )
        assert answer.code == 200, answer.message
    assert [c["type"] for c in answer.body["status"]["conditions"]] == ["Training", "Evaluating"]
