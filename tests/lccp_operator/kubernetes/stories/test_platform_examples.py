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
from lccp.contract.errors import LccpError
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = pytest.mark.apiserver

VALUES = Path(__file__).parents[3] / "charts" / "values" / "s3.yaml"
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
    namespace.create_run(run_document("earlier", topology=template))
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


def _restricted(namespace: Namespace) -> None:
    def refusal(where: str, spec: Object) -> str:
        template = {"podTemplate": {"spec": spec}}
        parts = {"topology": template} if where == "topology" else {}
        document = run_document("a-run", **parts)
        if where == "evaluation":
            document["spec"].setdefault("evaluation", {})["workload"] = template
        try:
            namespace.create_run(document)
        except LccpError as error:
            return str(error)
        namespace.delete_run("a-run")
        return ""

    host = {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}
    wait_for(lambda: refusal("topology", {"hostNetwork": True}), "the policy never took effect")

    assert "may contain only" in refusal("topology", {"hostNetwork": True})
    assert "must not be hostPath" in refusal("topology", host)
    assert "must not be hostPath" in refusal("evaluation", host)
    assert refusal("topology", {"volumes": [{"name": "a", "emptyDir": {}}]}) == ""
    assert refusal("none", {}) == ""
