"""Calls of the API server, with a proxy between that makes faults."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace, connect, run_document
from api_proxy import ApiProxy, Fault
from operator_process import installation, wait_for

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import ApiUnavailable, Cluster, Forbidden
from lccp_operator.kubernetes.api import cluster as calls
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns, KubernetesWorkloads
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.workloads import informer as informers
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.jobs import job as job_of
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.workloads.state import Trouble
from lccp_operator.workloads.training import Training

pytestmark = pytest.mark.apiserver

BUSY = {"Retry-After": "0"}


@pytest.fixture
def proxied(proxy: ApiProxy, tmp_path: Path) -> Cluster:
    """The API server, behind the proxy."""
    return connect(proxy.kubeconfig(tmp_path / "proxied"))


@pytest.fixture
def run(namespace: Namespace) -> LCCPRun:
    return LCCPRun.parse(namespace.create_run(run_document("tiny")), "run")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    proxy: ApiProxy, proxied: Cluster, namespace: Namespace, status: int
) -> None:
    namespace.create_run(run_document("tiny"))
    proxy.faults.extend([Fault("GET", "lccpruns", status, BUSY)] * 2)

    assert proxied.get(api.RUNS, namespace.name, "tiny")["metadata"]["name"] == "tiny"
    assert not proxy.faults


def test_a_server_that_stays_busy_is_given_up(proxy: ApiProxy, proxied: Cluster) -> None:
    proxy.faults.extend([Fault("GET", "jobs", 429, BUSY)] * calls.TRIES)

    with pytest.raises(ApiUnavailable, match=r"does not answer GET .*: 429"):
        proxied.list(api.JOBS)


@pytest.fixture
def settings(tmp_path: Path) -> Installation:
    return Installation.parse(installation(tmp_path), "installation")


@pytest.fixture
def workloads(proxied: Cluster, settings: Installation) -> KubernetesWorkloads:
    cached = [Informer(proxied, kind, (), lambda _: None) for kind in (api.JOBS, api.PODS)]
    reader = WorkloadReader(proxied, *cached)
    return KubernetesWorkloads(proxied, reader, settings.store("default"))


def test_a_webhook_that_does_not_answer_refuses_the_workload_and_nothing_else(
    proxy: ApiProxy, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    told = 'Internal error occurred: failed calling webhook "mjob.kb.io": connection refused'
    proxy.faults.extend([Fault("POST", "jobs", 500, BUSY, {"message": told})] * calls.TRIES)

    workloads.apply(run, Training(1), settings.offered(run))
    assert workloads.rejected == {Training(1): Trouble(Reason.POD_REJECTED, told)}

    workloads.apply(run, Training(1), settings.offered(run))
    assert workloads.rejected == {}


def test_a_workload_that_exists_is_taken_as_it_is(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    workloads.apply(run, Training(1), settings.offered(run))
    (first,) = namespace.jobs()
    workloads.apply(run, Training(1), settings.offered(run))
    (again,) = namespace.jobs()

    assert workloads.rejected == {}
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_job_of_someone_else_under_the_workloads_name_is_named(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    gang, pinned = Training(1), settings.offered(run)
    theirs = job_of(run, gang, gang.pods(run, pinned), settings.stores[0], pinned)
    del theirs["metadata"]["ownerReferences"]
    namespace.api.create(api.JOBS, theirs)
    workloads.apply(run, Training(1), settings.offered(run))

    trouble = workloads.rejected[Training(1)]
    assert trouble.reason is Reason.POD_REJECTED
    assert "there is another Job tiny-train-a1 in the namespace" in trouble.message


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Forbidden), (404, NotFound), (409, Conflict), (422, InvalidInput)],
)
def test_a_refusal_is_not_tried_again(
    proxy: ApiProxy, proxied: Cluster, status: int, error: type[Exception]
) -> None:
    proxy.faults.append(Fault("GET", "jobs", status, body={"message": "because"}))

    with pytest.raises(error, match="because"):
        proxied.list(api.JOBS)
    assert len(proxy.requests) == 1


def test_a_status_is_not_written_over_one_that_was_not_read(
    namespace: Namespace, run: LCCPRun
) -> None:
    version = namespace.run("tiny")["metadata"]["resourceVersion"]
    runs = KubernetesRuns(namespace.api, version)
    runs.write_status(run, LCCPRunStatus(attempt=1))
    runs.write_status(run, LCCPRunStatus(attempt=2))

    with pytest.raises(Conflict):
        KubernetesRuns(namespace.api, version).write_status(run, LCCPRunStatus(attempt=3))
    assert namespace.run("tiny")["status"]["attempt"] == 2


def test_fields_of_a_status_that_are_no_longer_set_go(namespace: Namespace, run: LCCPRun) -> None:
    runs = KubernetesRuns(namespace.api, namespace.run("tiny")["metadata"]["resourceVersion"])
    runs.write_status(run, LCCPRunStatus(start_time="2026-01-05T09:00:00Z"))
    runs.write_status(run, LCCPRunStatus())

    assert "startTime" not in namespace.run("tiny")["status"]


def test_a_guard_is_asked_before_every_try_of_a_write(
    proxy: ApiProxy, tmp_path: Path, namespace: Namespace
) -> None:
    asked: list[int] = []
    guarded = connect(proxy.kubeconfig(tmp_path / "guarded"))
    guarded.guard = lambda: asked.append(1)
    proxy.faults.append(Fault("POST", "services", 503, BUSY))
    port = {"spec": {"ports": [{"port": 80}]}, "metadata": {"name": "s"}}

    guarded.create(api.SERVICES, port | {"metadata": {"name": "s", "namespace": namespace.name}})
    guarded.list(api.SERVICES)

    assert len(asked) == 2


class Watching:
    """An informer of Jobs, and the changes that it announced."""

    def __init__(self, cluster: Cluster, *namespaces: str) -> None:
        self.changes: list[RunKey] = []
        self.informer = Informer(cluster, api.JOBS, namespaces, self.changes.append)

    def names(self, key: RunKey) -> set[str]:
        return {job["metadata"]["name"] for job in self.informer.of(key)}

    def wait_names(self, key: RunKey, *names: str) -> None:
        wait_for(lambda: self.informer.synced, "the informer is not in touch")
        wait_for(lambda: self.names(key) == {*names}, f"{names} are not cached", seconds=10)


@pytest.fixture
def watching(proxied: Cluster) -> Iterator[Watching]:
    stop, made = threading.Event(), Watching(proxied)
    made.informer.start(stop)
    yield made
    stop.set()


def a_job(namespace: Namespace, name: str, run: str = "tiny") -> Object:
    template = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    metadata = {"name": name, "labels": {"lccp.io/run": run}}
    spec = {"template": {"spec": template}}
    document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    return namespace.create_object(api.JOBS, document)


def remove(namespace: Namespace, job: Object) -> None:
    body = {"propagationPolicy": "Background"}
    namespace.api._call("DELETE", api.JOBS.path(namespace.name, job["metadata"]["name"]), body)


def test_an_informer_follows_what_is_created_and_deleted(
    watching: Watching, namespace: Namespace
) -> None:
    key = RunKey(namespace.name, "tiny")
    job = a_job(namespace, "one")
    a_job(namespace, "two")
    a_job(namespace, "another", "huge")
    watching.wait_names(key, "one", "two")

    remove(namespace, job)

    watching.wait_names(key, "two")
    assert watching.names(RunKey(namespace.name, "huge")) == {"another"}
    assert {key, RunKey(namespace.name, "huge")} <= {*watching.changes}


def test_own_writes_are_cached_at_once_and_are_no_change(
    watching: Watching, namespace: Namespace, proxy: ApiProxy
) -> None:
    key = RunKey(namespace.name, "tiny")
    one = a_job(namespace, "one")
    watching.wait_names(key, "one")
    proxy.down = True
    watching.changes.clear()

    two = a_job(namespace, "two")
    assert watching.informer.upsert(two)
    assert watching.informer.remove(one)
    assert watching.names(key) == {"two"}

    assert not watching.informer.upsert(two)
    assert not watching.informer.remove(one)
    assert key not in watching.changes


@pytest.mark.parametrize(("field", "is_change"), [("active", True), ("terminating", False)])
def test_only_a_change_of_what_is_kept_is_change(
    watching: Watching, namespace: Namespace, field: str, is_change: bool
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    watching.changes.clear()
    changed = namespace.api.patch(api.JOBS, namespace.name, "one", {"status": {field: 1}}, "status")
    version = changed["metadata"]["resourceVersion"]

    def cached() -> bool:
        (job,) = watching.informer.of(key)
        return bool(job["metadata"]["resourceVersion"] == version)

    wait_for(cached, "the change is not cached")
    a_job(namespace, "two", "huge")
    wait_for(lambda: RunKey(namespace.name, "huge") in watching.changes, "no change of the other")
    assert (key in watching.changes) == is_change


def test_an_answer_that_comes_after_its_object_is_gone_brings_nothing_back(
    watching: Watching, namespace: Namespace
) -> None:
    key = RunKey(namespace.name, "tiny")
    answer = a_job(namespace, "one")
    watching.wait_names(key, "one")
    remove(namespace, answer)
    watching.wait_names(key)

    assert not watching.informer.upsert(answer)
    assert watching.names(key) == set()


def test_what_disappeared_while_the_watch_was_broken_is_not_cached(
    watching: Watching, namespace: Namespace, proxy: ApiProxy
) -> None:
    key = RunKey(namespace.name, "tiny")
    job = a_job(namespace, "one")
    watching.wait_names(key, "one")
    proxy.down = True
    a_job(namespace, "two")
    remove(namespace, job)
    watching.changes.clear()
    proxy.faults.append(Fault("GET", "watch=", 410, body={"message": "too old"}))
    proxy.down = False

    watching.wait_names(key, "two")
    assert key in watching.changes


def test_an_informer_that_lost_touch_is_not_believed(
    watching: Watching, namespace: Namespace, proxy: ApiProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    monkeypatch.setattr(informers, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(informers, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(calls, "TRIES", 1)

    proxy.down = True
    a_job(namespace, "two")
    wait_for(lambda: not watching.informer.synced, "it believes itself in touch")
    with pytest.raises(ApiUnavailable, match="does not tell of jobs"):
        watching.informer.of(key)

    proxy.down = False
    watching.wait_names(key, "one", "two")


def test_an_informer_of_some_namespaces_leaves_the_others_alone(
    cluster: Cluster, namespace: Namespace, root: Path
) -> None:
    other: Namespace = Namespace.create(cluster, root)
    stop, watching = threading.Event(), Watching(cluster, namespace.name)
    a_job(namespace, "one")
    a_job(other, "two")

    watching.informer.start(stop)
    watching.wait_names(RunKey(namespace.name, "tiny"), "one")
    assert watching.names(RunKey(other.name, "tiny")) == set()
    stop.set()
