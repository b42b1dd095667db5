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
    ('stores=[{"url":"file:///a"}]', "missing property 'name'"),
    ('stores[0].password="x"', "additional properties 'password' not allowed"),
    ("operator.replicas=0", "'/operator/replicas': minimum: got 0, want 1"),
    ('operator.replicas="2"', "'/operator/replicas': got string, want integer"),
    ('operator.logFormat="xml"', "'/operator/logFormat': value must be one of 'json', 'text'"),
    ('operator.logLevel="loud"', "'/operator/logLevel': value must be one of"),
    ('operator.resources={"request":{}}', "additional properties 'request' not allowed"),
    ('operator.podLabels={"a":1}', "'/operator/podLabels/a': got number, want string"),
    ("runs.purgeResources.requests.cpu=0.5", "cpu': got number"),
    ('image.pullPolicy="Sometimes"', "'/image/pullPolicy': value must be one of"),
    ('namespaces=["a","a"]', "'/namespaces': items at 0 and 1 are equal"),
    ('namespaces="a"', "'/namespaces': got string, want array"),
    ("exporter.refreshSeconds=0", "'/exporter/refreshSeconds': exclusiveMinimum"),
    ("exporters={}", "additional properties 'exporters' not allowed"),
]
"""By the schema: types, bounds, choices and unknown names."""
FAULTS = [
    ('fullnameOverride="My_Release"', "fullnameOverride: must be lower-case letters, digits and"),
    ('namespaces=["team.a"]', "namespaces[0]: must be a namespace: up to 63 lower-case"),
    ('adoptFrom=["lccp"]', "adoptFrom[0]: must be NAMESPACE/RELEASE@UID, as status.installation"),
    ('serviceAccount.name="My Account"', "serviceAccount.name: must be the name of an object"),
    ('metrics.serviceMonitor.interval="often"', "interval: must be a time such as 30s or 1m"),
    ('metrics.rules.runbookUrl=""', "metrics.rules.runbookUrl: must be the address of the folder"),
    ('metrics.dashboards.folderAnnotation=""', "folderAnnotation: must be the name of an annot"),
    ("kueuePriorityBoost=5", "kueuePriorityBoost: needs checkpointAwarePreemption: true"),
    ("lease.renewSeconds=5", "lease.renewSeconds: must be at most a third"),
    ("operator.replicas=1", "podDisruptionBudget.enabled: needs operator.replicas of at least 2"),
    ('stores[0].name="A"', "stores[0].name: must be up to 50 lower-case letters, digits and hyph"),
    ('stores[0].url="ftp://x"', "stores[0].url: must be s3://BUCKET/PREFIX, or file:///FOLDER"),
    ('stores[0].endpoint="s3:8333"', "stores[0].endpoint: must be http://HOST:PORT or https://"),
    ('stores[0].credentialsSecret="Mine"', "stores[0].credentialsSecret: must be the name of an"),
    ('stores[0].instanceMetadata="169.254.169.254"', "instanceMetadata: must be a URL without"),
    ('stores[0].caFile="ca.crt"', "stores[0].caFile: must be an absolute path in the pods"),
    ('stores[1]={"name":"a","url":"file:///a"}', "stores[1].url: file:///a is on no volume: mount"),
    ('stores[1].region="eu"', "stores[1].region: leave it out: the store is a folder"),
    ('stores[2]={"name":"a","url":"s3://b"}', 'stores: two of them are called "a"'),
    ('stores[3]={"name":"c","url":"s3://b?c"}', 'not "s3://b?c"'),
    ('image.registry="https://registry.example.com"', "image.registry: must be HOST, HOST:PORT"),
    ('image.pullSecrets=["A B"]', "image.pullSecrets[0]: must be the name of an object"),
    ('image.operator.repository="a:1"', "image.operator.repository: must be a name such as"),
    ('image.trainer.tag="a b"', "image.trainer.tag: must be up to 128 letters"),
    ('image.evaluator.digest="latest"', "image.evaluator.digest: must be sha256: and 64 hexadecim"),
    ('runs.serviceAccountAnnotations={"a":"b"}', "create the ServiceAccount default: give runs."),
    ('runs.evaluatorPriorityClassName="Low"', "runs.evaluatorPriorityClassName: must be the name"),
    ('runs.podTemplates.fields=["a\'"]', "runs.podTemplates.fields[0]: must be a field of a pod's"),
    ('runs.purgeResources.limits.memory="1e9"', "limits.memory: must be a quantity such as 500m"),
    ('operator.resources.limits.memory="lots"', 'a quantity such as 500m, 2 or 1Gi, not "lots"'),
    ('operator.priorityClassName="High!"', "operator.priorityClassName: must be the name of an"),
    ('operator.podLabels={"team":"a b"}', "operator.podLabels.team: must be up to 63 letters"),
    (
        'exporter.podLabels={"app.kubernetes.io/name":"x"}',
        "leave it out: the chart sets this label",
    ),
    ('operator.extraEnv=[{"value":"x"}]', "operator.extraEnv[0].name: must be the name of an env"),
    ('exporter.extraVolumes=[{"emptyDir":{}}]', "exporter.extraVolumes[0].name: must be up to 63"),
    ('operator.extraVolumeMounts=[{"name":"ca","mountPath":"ca"}]', "one of operator.extraVolumes"),
    ("podDisruptionBudget.enabled=true", "operator.extraVolumeMounts[0].mountPath: must be an abs"),
]
"""By sentences that say what would be right."""
MOUNT = (
    '.extraVolumes=[{"name":"runs"}]',
    '.extraVolumeMounts=[{"name":"runs","mountPath":"/my runs"}]',
)
RIGHT = [
    "operator.replicas=3",
    f'image.trainer.digest="{DIGEST}"',
    'image.registry=""',
    'image.operator.repository="localhost:5000/lccp-operator"',
    *(f"image.evaluator.{field}=null" for field in ("tag", "digest")),
    *(f"{field}=null" for field in ("fullnameOverride", "metrics.serviceMonitor.interval")),
    "operator.tolerations=null",
    "runs.purgeResources.limits.memory=536870912",
    'operator.resources.requests={"cpu":".5","memory":"200000000000m"}',
    'stores[1]={"name":"b","url":"s3://My_Bucket"}',
    'stores[2]={"name":"c","url":"file:///my%20runs/a"}',
    *(part + setting for part in ("operator", "exporter") for setting in MOUNT),
]
"""None of them is refused. Null takes the chart's own value away."""


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "sentence"), REFUSED, ids=[one for one, _ in REFUSED])
def test_the_schema_refuses_what_is_not_a_value_of_that_kind(
    helm: Helm, value_set: dict[str, Path], setting: str, sentence: str
) -> None:
    assert sentence in helm.refusal(value_set["s3"], setting)


def test_every_wrong_value_is_told_at_once_with_what_would_be_right(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    told = helm.refusal(value_set["s3"], *(setting for setting, _ in FAULTS))
    assert [sentence for _, sentence in FAULTS if sentence not in told] == []


def test_a_release_without_a_store_is_told_how_to_give_one(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    assert "stores: give at least one object store" in helm.refusal(value_set["s3"], "stores=[]")


def test_names_that_look_like_numbers_stay_names(helm: Helm, value_set: dict[str, Path]) -> None:
    given = ('namespaces=["1234"]', 'runs.serviceAccountName="12e4"', 'image.pullSecrets=["007"]')
    words = [word for setting in given for word in ("--set-json", setting)]
    objects = helm.render(value_set["s3"], "5678", *words)
    spaces = {one["metadata"].get("namespace", "") for one in objects}
    assert spaces == {"", "1234", "5678"}
    accounts = {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    assert "12e4" in accounts
    (installation,) = (one for one in objects if one["kind"] == "ConfigMap")
    read = yaml.safe_load(installation["data"]["installation.yaml"])
    assert (read["runServiceAccount"], read["release"]["namespace"]) == ("12e4", "5678")


@pytest.mark.slow
def test_right_values_are_not_refused(helm: Helm, value_set: dict[str, Path]) -> None:
    assert helm.refusal(value_set["s3"], *RIGHT) == ""


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
