"""What the chart renders: taken by an API server, hardened, and with no right too many."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer
from helm import NAMESPACE, ROOT, Helm, Object, pod_templates
from serving import serving
from typer.main import get_command

from lccp.api.crd import crd
from lccp_exporter.config import configuration as exporter_configuration
from lccp_exporter.main import app
from lccp_operator.kubernetes.installation import Installation

pytestmark = pytest.mark.slow

FOREIGN_CRDS = Path(
    os.environ.get("LCCP_FOREIGN_CRDS", ROOT.parent / "shared" / "kubernetes" / "crds")
)
RESTRICTED = "restricted"
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def identity(one: Object) -> tuple[str, str | None, str]:
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


def configuration(objects: list[Object]) -> dict[str, str]:
    found: dict[str, str] = next(
        one["data"] for one in of_kind(objects, "ConfigMap") if "installation.yaml" in one["data"]
    )
    return found


def rules(objects: list[Object]) -> list[dict[str, Any]]:
    roles = of_kind(objects, "Role") + of_kind(objects, "ClusterRole")
    return [rule for role in roles for rule in role["rules"]]


@pytest.fixture(scope="module")
def server(apiserver: ApiServer) -> ApiServer:
    """With the namespaces that are rendered into, and one where only restricted pods may be."""
    for name in (NAMESPACE, "team-a", "team-b"):
        namespace(apiserver, name)
    namespace(apiserver, RESTRICTED, {"pod-security.kubernetes.io/enforce": "restricted"})
    return apiserver


def namespace(server: ApiServer, name: str, labels: dict[str, str] | None = None) -> None:
    meta = {"name": name, "labels": labels or {}}
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    assert server.call("POST", "/api/v1/namespaces", document).code in (201, 409)


@pytest.fixture(scope="module")
def foreign(server: ApiServer) -> None:
    """The Prometheus operator's kinds."""
    files = sorted(FOREIGN_CRDS.glob("monitoring.coreos.com_*.yaml"))
    if not files:
        pytest.skip(
            "needs the CRDs of the Prometheus operator, monitoring.coreos.com_*.yaml, in a folder "
            "that LCCP_FOREIGN_CRDS names"
        )
    for file in files:
        server.install_crd(yaml.safe_load(file.read_text()))


def test_lint_has_no_complaint(helm: Helm, values: Path) -> None:
    assert "0 chart(s) failed" in helm.lint(values)


@pytest.mark.apiserver
def test_an_api_server_takes_every_object(
    server: ApiServer, objects: list[Object], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if any(one["apiVersion"].startswith("monitoring.") for one in objects):
        request.getfixturevalue("foreign")
    file = tmp_path / "objects.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    how = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    answer = server.kubectl("apply", *how, "--filename", str(file))
    assert answer.count("(server dry run)") == len(objects)


@pytest.mark.apiserver
def test_an_api_server_that_allows_only_restricted_pods_takes_every_pod(
    server: ApiServer, objects: list[Object]
) -> None:
    for pod in pod_templates(objects):
        answer = server.call("POST", f"/api/v1/namespaces/{RESTRICTED}/pods?dryRun=All", pod)
        assert answer.code == 201, answer.message


def test_every_pod_is_hardened(objects: list[Object]) -> None:
    pods = pod_templates(objects)
    assert pods
    for pod in pods:
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 65532
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_a_slow_start_is_not_taken_for_a_hang(objects: list[Object]) -> None:
    for one in of_kind(objects, "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        start, alive = container["startupProbe"], container["livenessProbe"]
        assert start["httpGet"] == alive["httpGet"]
        assert start["periodSeconds"] * start["failureThreshold"] >= 300


def test_pods_soon_leave_a_node_that_does_not_answer(objects: list[Object]) -> None:
    """By default they stay for five minutes, in which nobody would report anything."""
    for deployment in of_kind(objects, "Deployment"):
        given = deployment["spec"]["template"]["spec"]["tolerations"]
        left = {one["key"]: one.get("tolerationSeconds", 300) for one in given}
        for reason in ("not-ready", "unreachable"):
            assert left[f"node.kubernetes.io/{reason}"] <= 5


def test_only_the_operator_may_use_the_api(objects: list[Object]) -> None:
    for pod in pod_templates(objects):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        assert (pod["spec"].get("automountServiceAccountToken") is False) == (
            component not in ("operator", "uninstall")
        )
    bindings = of_kind(objects, "RoleBinding") + of_kind(objects, "ClusterRoleBinding")
    subjects = {subject["name"] for binding in bindings for subject in binding["subjects"]}
    operator = next(
        pod["spec"]["serviceAccountName"]
        for pod in pod_templates(objects)
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
    )
    assert subjects <= {operator}


def test_no_rule_reaches_secrets_or_everything(objects: list[Object]) -> None:
    for rule in rules(objects):
        assert "secrets" not in rule["resources"]
        assert "*" not in rule["resources"] + rule["verbs"] + rule["apiGroups"]


def test_jobs_may_be_changed_only_where_states_are_told_on_them(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    def verbs(*options: str) -> list[str]:
        found = rules(helm.render(value_set["s3"], "lccp", *options))
        (on_jobs,) = (rule["verbs"] for rule in found if rule["resources"] == ["jobs"])
        return sorted(on_jobs)

    told = ("--set", "checkpointAwarePreemption=true")
    assert verbs() == ["create", "delete", "list", "watch"]
    assert verbs(*told) == ["create", "delete", "list", "patch", "watch"]
    installed = configuration(helm.render(value_set["s3"], "lccp", *told))["installation.yaml"]
    assert Installation.parse(yaml.safe_load(installed), "it").checkpoint_aware_preemption


def test_workloads_of_kueue_may_be_changed_only_where_they_get_a_boost(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    def rendered(boost: int) -> tuple[list[str], int | None]:
        options = ("--set", f"checkpointAwarePreemption=true,kueuePriorityBoost={boost}")
        found = helm.render(value_set["s3"], "lccp", *options)
        (verbs,) = (r["verbs"] for r in rules(found) if r["resources"] == ["workloads"])
        installed = yaml.safe_load(configuration(found)["installation.yaml"])
        return verbs, Installation.parse(installed, "it").state_boost

    assert rendered(0) == (["list"], 0)
    assert rendered(1_000_000) == (["list", "patch"], 1_000_000)


def test_operator_and_exporter_parse_their_configuration(
    objects: list[Object], tmp_path: Path
) -> None:
    files = configuration(objects)
    (tmp_path / "stores.yaml").write_text(files["stores.yaml"])
    installation = Installation.parse(yaml.safe_load(files["installation.yaml"]), "installation")
    exporter = exporter_configuration([], tmp_path / "stores.yaml")
    assert installation.stores == exporter.stores
    assert installation.lease is not None
    assert installation.release is not None
    assert installation.release.namespace == installation.lease.namespace
    assert installation.purge_resources.requests["cpu"]


def test_the_exporter_takes_its_arguments(objects: list[Object], tmp_path: Path) -> None:
    (tmp_path / "stores.yaml").write_text(configuration(objects)["stores.yaml"])
    for pod in pod_templates(objects):
        container = pod["spec"]["containers"][0]
        if container["name"] == "exporter":
            given = [word.replace("/etc/lccp", str(tmp_path)) for word in container["args"]]
            options = get_command(app).make_context("lccp-exporter", given).params
            assert options["port"] == container["ports"][0]["containerPort"]
            assert options["stores"] == tmp_path / "stores.yaml"


class Release(BaseHTTPRequestHandler):
    """Operator and exporter of a release, one of whose stores refuses."""

    REFUSAL = b"store default: no such bucket"

    def do_GET(self) -> None:
        told = self.REFUSAL if self.path == "/stores" else b""
        self.send_response(500 if told else 200)
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_helm_test_asks_for_every_store_and_says_which_refuses(objects: list[Object]) -> None:
    (test,) = (pod for pod in of_kind(objects, "Pod") if "helm.sh/hook" in str(pod["metadata"]))
    (container,) = test["spec"]["containers"]
    assert f"http://{test['metadata']['name'][:-5]}-operator:8080/stores" in container["args"]
    _, option, code = container["command"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Release)
    with serving(server):
        here = f"http://127.0.0.1:{server.server_port}"
        urls = [re.sub("^http://[^/]*", here, url) for url in container["args"]]
        command = [sys.executable, option, code.replace("() + 30", "()"), *urls]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr.strip()) == (
        1,
        f"{here}/stores: {Release.REFUSAL.decode()}",
    )


def test_credentials_are_mounted_where_the_configuration_says(objects: list[Object]) -> None:
    stores = yaml.safe_load(configuration(objects)["stores.yaml"])
    wanted = {store["credentialsDirectory"] for store in stores if "credentialsDirectory" in store}
    for pod in pod_templates(objects):
        container = pod["spec"]["containers"][0]
        if container["name"] in ("operator", "exporter"):
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert wanted <= mounts


def test_a_secret_that_is_not_there_yet_keeps_no_pod_from_starting(objects: list[Object]) -> None:
    for pod in pod_templates(objects):
        secrets = [v["secret"] for v in pod["spec"].get("volumes", ()) if "secret" in v]
        assert all(secret["optional"] for secret in secrets)


def test_those_who_may_edit_a_namespace_may_edit_its_runs(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    label = "rbac.authorization.k8s.io/aggregate-to-"

    def granted(*settings: str) -> dict[str, list[str]]:
        roles = of_kind(helm.render(value_set["s3"], NAMESPACE, *settings), "ClusterRole")
        return {
            name.removeprefix(label): role["rules"][0]["verbs"]
            for role in roles
            for name in role["metadata"]["labels"]
            if name.startswith(label)
        }

    usual = granted()
    assert usual["view"] == ["get", "list", "watch"]
    assert usual["edit"] == usual["admin"]
    assert {"create", "patch", "delete"} <= set(usual["edit"])
    assert granted("--set", "rbac.aggregate=false") == {}


def test_a_release_for_namespaces_needs_no_right_on_the_cluster(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    objects = helm.render(value_set["namespaced"])
    assert not [one for one in objects if one["kind"] in CLUSTER_SCOPED]
    roles = {one["metadata"]["namespace"] for one in of_kind(objects, "Role")}
    assert roles == {"team-a", "team-b", NAMESPACE}
    accounts = {identity(one)[1:] for one in of_kind(objects, "ServiceAccount")}
    assert {("team-a", "lccp-run"), ("team-b", "lccp-run")} <= accounts


def test_service_accounts_carry_the_roles_that_they_are_given(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    settings = ("--set", "serviceAccount.annotations.role=a", "--set")
    settings += ("runs.serviceAccountAnnotations.role=b",)
    accounts = of_kind(helm.render(value_set["namespaced"], NAMESPACE, *settings), "ServiceAccount")
    roles = {one["metadata"]["name"]: one["metadata"]["annotations"]["role"] for one in accounts}
    assert roles == {"lccp": "a", "lccp-exporter": "a", "lccp-run": "b"}


def test_two_releases_for_one_namespace_have_no_object_in_common(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    settings = ("--set", "runs.serviceAccountName=default")
    one, other = (
        {identity(o) for o in helm.render(value_set["namespaced"], namespace, *settings)}
        for namespace in ("first", "second")
    )
    assert one
    assert not one & other


def test_the_crd_is_the_one_of_the_types_and_is_kept(
    helm: Helm, value_set: dict[str, Path]
) -> None:
    [kept] = of_kind(helm.render(value_set["s3"]), "CustomResourceDefinition")
    [dropped] = of_kind(helm.render(value_set["minimal"]), "CustomResourceDefinition")
    assert kept["spec"] == dropped["spec"] == yaml.safe_load(json.dumps(crd()["spec"]))
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert "annotations" not in dropped["metadata"]


def test_images_come_by_digest_where_one_is_given(helm: Helm, value_set: dict[str, Path]) -> None:
    objects = helm.render(value_set["digests"])
    mirror = "registry.example.com/mirror/lccp-"
    installed = yaml.safe_load(configuration(objects)["installation.yaml"])
    assert installed["operatorImage"] == f"{mirror}operator@sha256:{'1' * 64}"
    assert installed["trainerImage"] == f"{mirror}trainer@sha256:{'2' * 64}"
    assert installed["evaluatorImage"] == f"{mirror}evaluator@sha256:{'3' * 64}"
    assert installed["imagePullSecrets"] == ["mirror"]
    for pod in pod_templates(objects):
        assert pod["spec"]["containers"][0]["image"] == installed["operatorImage"]
        assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]


def test_everything_that_can_be_turned_on_is_there(helm: Helm, value_set: dict[str, Path]) -> None:
    kinds = [one["kind"] for one in helm.render(value_set["everything"])]
    wanted = {"ServiceMonitor": 2, "PrometheusRule": 1, "PodDisruptionBudget": 1}
    assert {kind: kinds.count(kind) for kind in wanted} == wanted
    assert kinds.count("NetworkPolicy") == 2


def test_what_can_be_left_out_is_not_there(helm: Helm, value_set: dict[str, Path]) -> None:
    kinds = {one["kind"] for one in helm.render(value_set["minimal"])}
    left_out = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "NetworkPolicy"}
    assert not kinds & (left_out | {"PodDisruptionBudget", "ServiceMonitor", "PrometheusRule"})


@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        ("Service", lambda spec: spec["selector"]),
        ("NetworkPolicy", lambda spec: spec["podSelector"]["matchLabels"]),
        ("PodDisruptionBudget", lambda spec: spec["selector"]["matchLabels"]),
        ("Deployment", lambda spec: spec["selector"]["matchLabels"]),
    ],
)
def test_a_selector_finds_the_pods_of_its_component(
    objects: list[Object], kind: str, selector: Callable[[Any], dict[str, str]]
) -> None:
    for one in of_kind(objects, kind):
        wanted = selector(one["spec"]).items()
        found = [
            pod for pod in pod_templates(objects) if wanted <= pod["metadata"]["labels"].items()
        ]
        assert len(found) == 1
        assert one["metadata"]["name"] == found[0]["metadata"]["name"]


def test_the_series_of_a_run_keep_their_namespace(helm: Helm, value_set: dict[str, Path]) -> None:
    for monitor in of_kind(helm.render(value_set["everything"]), "ServiceMonitor"):
        assert all(endpoint["honorLabels"] is True for endpoint in monitor["spec"]["endpoints"])
        assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
