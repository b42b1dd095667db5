"""Operators of one namespace: they need only a Role, and leave others' objects untouched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from helm import Helm
from operator_process import OperatorProcess, installation, wait_for

from lccp.api.labels import INSTALLATION, RUN
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import Cluster, Kind

pytestmark = [pytest.mark.apiserver, pytest.mark.long]

VALUES = Path(__file__).parents[3] / "charts" / "values" / "namespaced.yaml"
ACCOUNTS = Kind("v1", "serviceaccounts")
RACES = 20
CHANGES = 3
RECONCILES = 'lccp_reconcile_duration_seconds_count{result="success"}'
RBAC = "rbac.authorization.k8s.io/v1"
RIGHTS = {
    "ServiceAccount": ACCOUNTS,
    "Role": Kind(RBAC, "roles"),
    "RoleBinding": Kind(RBAC, "rolebindings"),
}


def installed(namespace: Namespace, store: Path, release: str, **more: Any) -> dict[str, Any]:
    """The configuration of a release that lies in the namespace and watches it alone."""
    own = {"name": release, "namespace": namespace.name}
    return installation(store, namespaces=[namespace.name], release=own, **more)


def owner(namespace: Namespace, run: str = "tiny") -> str:
    """The installation that the run's status names."""
    return str(namespace.run(run).get("status", {}).get("installation"))


def makers(namespace: Namespace) -> dict[str, str]:
    """The installation that made its gang, by run."""
    found = (job["metadata"] for job in namespace.jobs())
    return {meta["labels"][RUN]: meta["annotations"][INSTALLATION] for meta in found}


@pytest.fixture
def account(server: ApiServer, helm: Helm, namespace: Namespace, tmp_path: Path) -> Path:
    """A kubeconfig of the operator's ServiceAccount, with the rights that the chart grants."""
    confined_to = ("--set", f"namespaces={{{namespace.name}}}")
    for document in helm.render(VALUES, namespace.name, *confined_to):
        if document["kind"] in RIGHTS:
            namespace.create_object(RIGHTS[document["kind"]], document)
    path = ACCOUNTS.path(namespace.name, "lccp", "token")
    token = namespace.api.call("POST", path, {"spec": {"expirationSeconds": 3600}})
    document = yaml.safe_load(server.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token["status"]["token"]}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    return kubeconfig


@pytest.fixture
def confined(
    account: Path, namespace: Namespace, root: Path, tmp_path: Path
) -> Iterator[OperatorProcess]:
    settings = installed(namespace, root, "lccp")
    process = OperatorProcess(tmp_path, account, settings).start().wait_ready()
    yield process
    process.kill()


def test_a_namespaced_operator_needs_a_role_only_and_leaves_other_namespaces_alone(
    confined: OperatorProcess, namespace: Namespace, cluster: Cluster, root: Path
) -> None:
    other: Namespace = Namespace.create(cluster, root)
    other.create_run(run_document("tiny"))
    document = run_document("tiny", deletionPolicy="DeleteArtifacts", purgeTimeoutSeconds=1)
    namespace.create_run(document)
    jobs = JobPlayer(namespace)
    jobs.start("tiny-train-a1")
    namespace.wait_condition("tiny", "Training", "True")
    assert owner(namespace).startswith(f"{namespace.name}/lccp@")
    namespace.delete_run("tiny")

    wait_for(lambda: not namespace.api.list(api.RUNS, namespace.name), "the run is still there")
    assert 'status="403"' not in confined.get("/metrics")[1]
    assert "orbidden" not in confined.log.read_text()
    assert other.jobs() == []
    assert confined.stop() == 0


def test_of_two_installations_that_find_runs_new_one_begins_each_and_the_other_writes_nothing(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    def start(release: str) -> OperatorProcess:
        folder = tmp_path / release
        folder.mkdir()
        settings = installed(namespace, folder / "store", release)
        return OperatorProcess(folder, server.kubeconfig, settings).start()

    releases = {name: start(name).wait_ready() for name in ("one", "two")}
    names = [f"tiny-{number}" for number in range(RACES)]
    for name in names:
        namespace.create_run(run_document(name))
    for name in names:
        namespace.wait_condition(name, "Training", "False")

    made = makers(namespace)
    assert made == {name: owner(namespace, name) for name in names}
    for name, maker in made.items():
        (first,) = (release for release in releases if f"/{release}@" in maker)
        (second,) = releases.keys() - {first}
        assert (tmp_path / first / "store" / namespace.name / name / "journal.json").exists()
        assert not (tmp_path / second / "store" / namespace.name / name).exists()
    assert [process.stop() for process in releases.values()] == [0, 0]


def test_a_second_installation_is_told_and_goes_on_only_with_what_it_adopts(
    server: ApiServer, namespace: Namespace, root: Path, tmp_path: Path
) -> None:
    def start(release: str, store: Path, **more: Any) -> OperatorProcess:
        folder = tmp_path / f"{release}-{len(more)}"
        folder.mkdir()
        settings = installed(namespace, store, release, **more)
        return OperatorProcess(folder, server.kubeconfig, settings).start().wait_ready()

    first = start("one", root)
    namespace.create_run(run_document("tiny"))
    namespace.wait_condition("tiny", "Training", "False")
    mine, elsewhere = owner(namespace), tmp_path / "elsewhere"

    second = start("two", elsewhere)
    wait_for(lambda: "Refused" in namespace.events("tiny"), "nobody is told", second.log)
    told = f"installation {mine} manages this run"
    wait_for(lambda: told in second.log.read_text(), "the log does not say why", second.log)
    labels = f'installation="{mine}",namespace="{namespace.name}",run="tiny"'
    left_alone = f"lccp_run_left_alone{{{labels}}}"
    wait_for(lambda: second.metric(left_alone) == 1, "the metrics do not say so", second.log)
    assert "lccp_run_left_alone{" not in first.get("/metrics")[1]
    JobPlayer(namespace).start("tiny-train-a1")
    namespace.wait_condition("tiny", "Training", "True")
    assert owner(namespace) == mine
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"status": None}, "status")
    wait_for(lambda: owner(namespace) == mine, "the status is not made anew", first.log)
    assert not (elsewhere / namespace.name).exists()
    assert (first.stop(), second.stop()) == (0, 0)

    heir = start("two", root, adoptFrom=[mine])
    wait_for(lambda: f"{namespace.name}/two@" in owner(namespace), "it does not go on", heir.log)
    assert len(namespace.jobs()) == 1
    assert heir.stop() == 0


def test_what_two_installations_refuse_in_their_own_words_is_said_by_one_of_them(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    def start(release: str) -> OperatorProcess:
        folder = tmp_path / release
        folder.mkdir()
        stores = [{"name": f"of-{release}", "url": f"file://{folder}"}]
        settings = installed(namespace, folder, release, stores=stores)
        return OperatorProcess(folder, server.kubeconfig, settings).start().wait_ready()

    releases = [start("one"), start("two")]
    namespace.create_run(run_document("tiny"))
    said = namespace.wait_condition("tiny", "Accepted", "False")
    for number in range(CHANGES):
        before = [release.metric(RECONCILES) for release in releases]
        patch = {"metadata": {"annotations": {"changed": str(number)}}}
        changed = namespace.api.patch(api.RUNS, namespace.name, "tiny", patch)
        for release, count in zip(releases, before, strict=True):
            wait_for(lambda: release.metric(RECONCILES) > count, "nobody looks", release.log)  # noqa: B023
        assert namespace.run("tiny") == changed

    assert said["reason"] == "UnknownStore"
    assert namespace.jobs() == []
    assert [release.stop() for release in releases] == [0, 0]


def test_no_new_run_begins_where_the_store_leads_to_another_place(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    def started(folder: str) -> OperatorProcess:
        lease = {"name": "lccp", "namespace": namespace.name}
        settings = installed(namespace, tmp_path / folder, "lccp", lease=lease)
        return OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()

    jobs = JobPlayer(namespace)
    operator = started("runs")
    namespace.create_run(run_document("tiny"))
    jobs.start("tiny-train-a1")
    assert operator.stop() == 0

    operator = started("rusn")
    namespace.create_run(run_document("new"))
    told = namespace.wait_condition("new", "Degraded", "StoreUnmarked")
    namespace.wait_condition("tiny", "Degraded", "StoredRunMissing")
    assert "/rusn has no .installation-" in told["message"]
    assert not list((tmp_path / "rusn").rglob("*.json"))
    assert operator.stop() == 0

    operator = started("runs")
    jobs.start("new-train-a1")
    namespace.wait_condition("new", "Degraded", "False")
    namespace.wait_condition("tiny", "Degraded", "False")
    assert operator.stop() == 0
