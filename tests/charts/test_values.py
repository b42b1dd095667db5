"""The values: described, typed, and refused in a sentence when they are wrong."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm import CHART, ROOT, Helm

from lccp.api.run import LCCPRun
from reference.chart import documented, kind

VALUES = (CHART / "values.yaml").read_text(encoding="utf-8")
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DIGEST = "sha256:" + "0" * 64

REFUSED = [
    ("stores=[]", "stores: give at least one object store"),
    ('stores=[{"name":"a","url":"ftp://x"}]', "'/stores/0/url': 'ftp://x' does not match"),
    ('stores=[{"url":"file:///a"}]', "missing property 'name'"),
    (
        'stores=[{"name":"a","url":"file:///a"},{"name":"a","url":"file:///b"}]',
        'two of them are called "a"',
    ),
    ('stores=[{"name":"A","url":"file:///a"}]', "'/stores/0/name': 'A' does not match"),
    ('stores[0].password="x"', "additional properties 'password' not allowed"),
    ("operator.replicas=0", "'/operator/replicas': minimum: got 0, want 1"),
    ('operator.replicas="2"', "'/operator/replicas': got string, want integer"),
    ('operator.logFormat="xml"', "'/operator/logFormat': value must be one of 'json', 'text'"),
    ('operator.logLevel="loud"', "'/operator/logLevel': value must be one of"),
    ('operator.resources={"request":{}}', "additional properties 'request' not allowed"),
    ('operator.podLabels={"a":1}', "'/operator/podLabels/a': got number, want string"),
    ("runs.purgeResources.requests.cpu=0.5", "cpu': got number"),
    ('runs.purgeResources.limits.memory="1e9"', "'1e9' does not match pattern"),
    ('runs.podTemplates.fields=["a\'"]', "does not match pattern"),
    ('image.pullPolicy="Sometimes"', "'/image/pullPolicy': value must be one of"),
    ('image.operator.digest="latest"', "'/image/operator/digest': 'latest' does not match"),
    ('namespaces=["a","a"]', "'/namespaces': items at 0 and 1 are equal"),
    ('namespaces="a"', "'/namespaces': got string, want array"),
    ("lease.renewSeconds=5", "lease.renewSeconds: must be at most a third"),
    ("exporter.refreshSeconds=0", "'/exporter/refreshSeconds': exclusiveMinimum"),
    ('metrics.serviceMonitor.interval="often"', "'often' does not match pattern"),
    ("exporters={}", "additional properties 'exporters' not allowed"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "sentence"), REFUSED, ids=[one for one, _ in REFUSED])
def test_a_wrong_value_is_refused_in_a_sentence(
    helm: Helm, value_set: dict[str, Path], setting: str, sentence: str
) -> None:
    assert sentence in helm.refusal(value_set["s3"], setting)


def test_a_disruption_budget_needs_a_second_replica(helm: Helm, value_set: dict[str, Path]) -> None:
    settings = ("podDisruptionBudget.enabled=true", "operator.replicas=1")
    assert "at least 2" in helm.refusal(value_set["s3"], *settings)


@pytest.mark.slow
def test_right_values_are_not_refused(helm: Helm, value_set: dict[str, Path]) -> None:
    digest = f'image.trainer.digest="{DIGEST}"'
    assert helm.refusal(value_set["s3"], "operator.replicas=3", digest) == ""


@pytest.mark.slow
def test_stores_need_no_secret_where_pods_have_a_role(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    store = 'stores=[{"name":"a","url":"s3://b/prefix","region":"eu-central-1"}]'
    role = 'serviceAccount.annotations={"eks.amazonaws.com/role-arn":"arn:aws:iam::1:role/lccp"}'
    assert helm.refusal(value_set["minimal"], store, role) == ""
    of_nodes = store.replace("}", ',"instanceMetadata":"http://169.254.169.254"}')
    assert helm.refusal(value_set["minimal"], of_nodes) == ""


def leaves(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The values that the schema itself names, down to those of other definitions."""
    for name, node in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        if node.get("$ref") == "#/definitions/image":
            node = SCHEMA["definitions"]["image"]
        yield from leaves(node, here) if "properties" in node else [here]


def test_every_value_is_described_and_typed() -> None:
    values = list(documented(VALUES))
    assert all(value.description.endswith(".") for value in values)
    assert {value.path for value in values} == set(leaves(SCHEMA)) - {"global"}
    assert all(kind(SCHEMA, value.path) for value in values)


def test_every_object_of_the_schema_refuses_unknown_names() -> None:
    def objects(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if "properties" in node and "type" in node:
                yield node
            for child in node.values():
                yield from objects(child)

    assert all(node["additionalProperties"] is False for node in objects(SCHEMA))


def test_the_chart_has_the_projects_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_example_on_the_charts_page_is_a_run() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    [example] = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])
    assert LCCPRun.parse(example, "example").metadata.name == "my-run"
