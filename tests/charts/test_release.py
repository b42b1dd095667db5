"""Releases on a real API server: installed, upgraded, side by side, uninstalled.

There are no nodes, so that no pod runs: what is proven is what Helm and the API server do.
"""

from collections.abc import Iterator
from pathlib import Path

import a_run
import pytest
from apiserver import ApiServer, wait
from helm import CHART, Helm

from lccp.api.crd import crd
from lccp.api.labels import API_VERSION

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/lccpruns.lccp.io"
RUNS = f"/apis/{API_VERSION}"
MERGE = "application/merge-patch+json"
RELEASE = "lccp"

pytestmark = [pytest.mark.apiserver, pytest.mark.long]


class Releases:
    """Helm's verbs on one server."""

    def __init__(self, helm: Helm, server: ApiServer) -> None:
        self._helm, self._server = helm, server

    def install(self, namespace: str, values: Path, *options: str) -> str:
        where = ("--namespace", namespace, "--create-namespace", "--values", str(values))
        return self._helm.administer(
            self._server.kubeconfig, "upgrade", RELEASE, str(CHART), "--install", *where, *options
        )

    def uninstall(self, namespace: str) -> str:
        return self._helm.administer(
            *(self._server.kubeconfig, "uninstall", RELEASE, "--namespace", namespace),
            "--no-hooks",  # no pod runs here
        )

    def deployment(self, namespace: str, component: str) -> int:
        """Status code of the component's Deployment."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{RELEASE}-{component}"
        return self._server.call("GET", path).code

    def may(self, namespace: str, verb: str, group: str, resource: str, where: str) -> bool:
        """Whether the operator of the release in `namespace` may do so in the namespace `where`."""
        what = {"verb": verb, "group": group, "resource": resource, "namespace": where}
        if resource == "namespaces":
            what["name"] = where
        account = f"system:serviceaccount:{namespace}:{RELEASE}"
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": account, "resourceAttributes": what},
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self._server.call("POST", path, review).body["status"]["allowed"])


@pytest.fixture
def releases(helm: Helm, apiserver: ApiServer) -> Iterator[Releases]:
    """With no CRD there; other tests find theirs again."""
    before = apiserver.call("GET", CRD).code
    _drop_crd(apiserver)
    yield Releases(helm, apiserver)
    _drop_crd(apiserver)
    if before == 200:
        apiserver.install_crd(crd())


def _drop_crd(server: ApiServer) -> None:
    """With the runs that other tests left, of which no operator takes a finalizer any more."""
    found = server.call("GET", f"{RUNS}/lccpruns")
    for run in found.body["items"] if found.code == 200 else ():
        path = (
            f"{RUNS}/namespaces/{run['metadata']['namespace']}/lccpruns/{run['metadata']['name']}"
        )
        server.call("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    server.call("DELETE", CRD)
    wait(lambda: server.call("GET", CRD).code == 404, "the CRD is still there")


def test_a_release_comes_changes_and_goes_and_the_runs_stay(
    releases: Releases, apiserver: ApiServer, value_set: dict[str, Path]
) -> None:
    notes = releases.install("whole", value_set["s3"])
    assert "deployment/lccp-operator" in notes
    assert "checkpoints.storeName: default" in notes
    assert "kubectl logs -n whole job/lccp-uninstall" in notes
    assert apiserver.call("GET", CRD).code == 200
    assert releases.deployment("whole", "exporter") == 200

    deployment = ("deployment/lccp-operator", "--namespace", "whole")
    apiserver.kubectl("patch", *deployment, "--patch", '{"spec": {"replicas": 1}}')
    fewer = (value_set["s3"], "--set", "exporter.enabled=false")
    with pytest.raises(AssertionError, match=r'conflict with "kubectl-patch".*\.spec\.replicas'):
        releases.install("whole", *fewer)
    assert releases.deployment("whole", "exporter") == 200

    releases.install("whole", *fewer, "--force-conflicts")
    replicas = apiserver.kubectl("get", *deployment, "--output=jsonpath={.spec.replicas}")
    assert replicas == "2"
    assert releases.deployment("whole", "exporter") == 404
    assert releases.deployment("whole", "operator") == 200

    assert "kept" in releases.uninstall("whole")
    assert releases.deployment("whole", "operator") == 404
    assert apiserver.call("GET", CRD).code == 200


def test_a_release_whose_uninstall_was_refused_is_deployed_again_by_a_rollback(
    helm: Helm, releases: Releases, apiserver: ApiServer, value_set: dict[str, Path]
) -> None:
    releases.install("refused", value_set["s3"])
    kubeconfig, where = apiserver.kubeconfig, ("--namespace", "refused")
    with pytest.raises(AssertionError, match="lccp-uninstall not ready"):
        helm.administer(kubeconfig, "uninstall", RELEASE, *where, "--timeout", "2s")
    assert releases.deployment("refused", "operator") == 200
    with pytest.raises(AssertionError, match="has no deployed releases"):
        helm.administer(kubeconfig, "upgrade", RELEASE, str(CHART), *where, "--reuse-values")

    helm.administer(kubeconfig, "rollback", RELEASE, "1", *where)

    helm.administer(kubeconfig, "upgrade", RELEASE, str(CHART), *where, "--reuse-values")
    releases.uninstall("refused")


RUN_STATES = [
    ("working", "team-b", {"installation": "scope/lccp@12345678"}, [], True),
    ("new", "team-b", {}, [], True),
    ("held", "team-b", {"completionTime": "2026-11-30T12:00:00Z"}, ["lccp.io/purge"], True),
    ("ended", "team-b", {"completionTime": "2026-11-30T12:00:00Z"}, [], False),
    ("foreign", "team-b", {"installation": "scope/lccp-2@12345678"}, [], False),
    ("kept", "team-a", {"installation": "scope/lccp@12345678"}, [], False),
]
"""Name, namespace, status and finalizers of runs; whether they need the operator of `scope/lccp`
in a namespace that it no longer watches."""


@pytest.mark.parametrize("before", ['["team-a","team-b"]', "[]"])
def test_an_upgrade_that_would_leave_runs_without_an_operator_is_refused(
    releases: Releases, apiserver: ApiServer, value_set: dict[str, Path], before: str
) -> None:
    for name in ("team-a", "team-b"):
        make_namespace(apiserver, name)
    releases.install("scope", value_set["s3"], "--set-json", f"namespaces={before}")
    make_runs(apiserver)
    fewer = ("--set-json", 'namespaces=["team-a"]')

    needed = sorted(f"{where}/{name}" for name, where, *_, needs in RUN_STATES if needs)
    with pytest.raises(AssertionError, match=f"still need the operator: {', '.join(needed)}: let"):
        releases.install("scope", value_set["s3"], *fewer)
    assert releases.may("scope", "create", "batch", "jobs", "team-b")

    releases.install("scope", value_set["s3"], *fewer, "--set", "leaveRuns=true")
    assert not releases.may("scope", "create", "batch", "jobs", "team-b")
    releases.install("scope", value_set["s3"], *fewer)
    releases.uninstall("scope")


def make_runs(server: ApiServer) -> None:
    for name, where, status, finalizers, _ in RUN_STATES:
        metadata = {"name": name, "finalizers": finalizers}
        path = f"{RUNS}/namespaces/{where}/lccpruns"
        made = server.call("POST", path, a_run.manifest() | {"metadata": metadata})
        assert made.code == 201, made.message
        told = server.call("PATCH", f"{path}/{name}/status", {"status": status}, MERGE)
        assert told.code == 200, told.message


def make_namespace(server: ApiServer, name: str) -> None:
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert server.call("POST", "/api/v1/namespaces", document).code in (201, 409)


def test_a_second_release_lives_beside_the_first_and_reaches_its_namespaces_alone(
    releases: Releases, apiserver: ApiServer, value_set: dict[str, Path]
) -> None:
    for name in ("team-a", "team-b"):
        make_namespace(apiserver, name)
    releases.install("one", value_set["s3"])
    releases.install("two", value_set["namespaced"])
    assert releases.may("one", "create", "batch", "jobs", "anywhere")
    assert releases.may("two", "create", "batch", "jobs", "team-b")
    assert releases.may("two", "get", "", "namespaces", "team-b")
    assert not releases.may("two", "create", "batch", "jobs", "anywhere")
    assert not releases.may("two", "get", "", "namespaces", "anywhere")
    for name in ("one", "two"):
        assert not releases.may(name, "get", "", "secrets", "team-a")
    releases.uninstall("one")
    assert releases.deployment("two", "operator") == 200
    releases.uninstall("two")
