"""Samples for a platform team: an API server accepts them; they refuse what they claim to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from a_cluster import Namespace, run_document
from apiserver import ApiServer
from helm import Helm, pod_templates
from operator_process import wait_for

from lccp.api import labels
from lccp.api.crd import crd
from lccp.contract.errors import LccpError
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = pytest.mark.apiserver

VALUES = Path(__file__).parents[3] / "charts" / "values" / "s3.yaml"
SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
FOLDER = Path(__file__).parents[4] / "examples" / "platform"


def documents(name: str) -> list[Object]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def chooses(selector: Object, own: dict[str, str]) -> bool:
    """Whether a selector of labels, or of keys that exist, is met by the labels `own`."""
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "Exists" for one in expressions)
    keys = {one["key"] for one in expressions}
    return selector.get("matchLabels", {}).items() <= own.items() and keys <= own.keys()


def test_network_policies_choose_pods_of_runs_and_not_the_operators(
    helm: Helm, server: ApiServer, namespace: Namespace
) -> None:
    own = labels.of_workload("tiny", labels.TRAINER)
    only = ("--show-only", "templates/operator.yaml")
    operator = pod_templates(helm.render(VALUES, "lccp", *only))[0]
    path = f"/apis/networking.k8s.io/v1/namespaces/{namespace.name}/networkpolicies"

    for policy in documents("network-policies.yaml"):
        answer = server.call("POST", f"{path}?fieldValidation=Strict", policy)
        assert answer.code == 201, answer.message
        selector = policy["spec"]["podSelector"]
        assert chooses(selector, own)
        assert not chooses(selector, dict(operator["metadata"]["labels"]))


def of_the_sample(namespace: str) -> list[Object]:
    """The sample policy, in force in `namespace` alone."""
    policy, binding = documents("restrict-pod-templates.yaml")
    chosen = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return [
        policy,
        binding | {"spec": binding["spec"] | {"matchResources": {"namespaceSelector": chosen}}},
    ]


def of_the_chart(helm: Helm, namespace: str) -> list[Object]:
    """The policy that the chart's value `runs.podTemplates` makes for `namespace`."""
    settings = f"runs.podTemplates.restricted=true,namespaces={{{namespace}}}"
    only = ("--show-only", "templates/access/podtemplates.yaml")
    return helm.render(VALUES, "lccp", "--set", settings, *only)


@contextmanager
def restricting(server: ApiServer, policy: Object, binding: Object) -> Iterator[None]:
    """While it lasts, the policy is in force, or is about to be."""
    root = "/apis/admissionregistration.k8s.io/v1"
    made = {f"{root}/validatingadmissionpolicies": policy}
    made |= {f"{root}/validatingadmissionpolicybindings": binding}
    for path, document in made.items():
        answer = server.call("POST", f"{path}?fieldValidation=Strict", document)
        assert answer.code == 201, answer.message
    yield
    for path, document in made.items():
        server.call("DELETE", f"{path}/{document['metadata']['name']}")


def change(namespace: Namespace, name: str, **parts: Any) -> str:
    """What is said to a change of the run; nothing, if it is made."""
    try:
        namespace.api.patch(api.RUNS, namespace.name, name, parts)
    except LccpError as error:
        return str(error)
    return ""


@pytest.fixture
def earlier(namespace: Namespace) -> str:
    """A run that was there before the policy, with what that forbids."""
    template = {"podTemplate": {"spec": {"hostNetwork": True}}}
    evaluation = {"suites": [suite("a", hostNetwork=True), suite("b")]}
    namespace.create_run(run_document("earlier", topology=template, evaluation=evaluation))
    return "earlier"


@pytest.mark.parametrize("source", ["sample", "chart"])
def test_pod_templates_are_restricted(
    helm: Helm, server: ApiServer, namespace: Namespace, earlier: str, source: str
) -> None:
    sample = source == "sample"
    name = namespace.name
    policy = of_the_sample(name) if sample else of_the_chart(helm, name)
    with restricting(server, *policy):
        _restricted(namespace)
        metadata = {"finalizers": ["example.org/purge"]}
        assert change(namespace, earlier, metadata=metadata) == ""
        assert change(namespace, earlier, metadata={"finalizers": None}) == ""
        assert change(namespace, earlier, spec={"suspend": True}) == ""
        worse = {"podTemplate": {"spec": {"hostPID": True}}}
        assert "may contain only" in change(namespace, earlier, spec={"topology": worse})
        fewer = {"suites": [suite("a", hostNetwork=True)]}
        assert change(namespace, earlier, spec={"evaluation": fewer}) == ""
        worse = {"suites": [suite("a", hostPID=True)]}
        assert "may contain only" in change(namespace, earlier, spec={"evaluation": worse})


def _restricted(namespace: Namespace) -> None:
    def refusal(place: str, spec: Object) -> str:
        try:
            namespace.create_run(with_template(place, spec))
        except LccpError as error:
            return str(error)
        namespace.delete_run("a-run")
        return ""

    host = {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}
    wait_for(lambda: refusal("topology", {"hostNetwork": True}), "the policy never took effect")

    places = templates(SPEC)
    assert {"topology", "evaluation.workload", "evaluation.suites[].workload"} <= {*places}
    for place in places:
        assert "may contain only" in refusal(place, {"hostNetwork": True}), place
        assert "must not be hostPath" in refusal(place, host), place
        assert refusal(place, {"volumes": [{"name": "a", "emptyDir": {}}]}) == ""
    assert refusal("topology", {}) == ""


def templates(schema: Object, place: str = "") -> list[str]:
    """The parts of a run's spec that have a podTemplate."""
    inner = {f"{place}.{name}": part for name, part in schema.get("properties", {}).items()}
    inner |= {f"{place}[]": schema["items"]} if "items" in schema else {}
    own = [place.removeprefix(".")] if "podTemplate" in schema.get("properties", {}) else []
    return own + [found for name, part in inner.items() for found in templates(part, name)]


def with_template(place: str, spec: Object) -> Object:
    """A run with that spec of the podTemplate at `place`."""
    document = run_document("a-run")
    document["spec"]["evaluation"] = {"suites": [suite("a")]}
    *parents, last = place.split(".")
    part = document["spec"]
    for name in parents:
        part = part.setdefault(name.removesuffix("[]"), {})
        part = part[0] if name.endswith("[]") else part
    part.setdefault(last, {})["podTemplate"] = {"spec": spec}
    return document


def suite(name: str, **spec: Any) -> Object:
    """An external suite, whose podTemplate has that spec."""
    return {"name": name, "command": ["true"], "workload": {"podTemplate": {"spec": spec}}}
