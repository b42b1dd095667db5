"""The first and the last reconcile of a run: no call is made without need."""

import math
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from admission import HALVED, Webhook
from api_proxy import ApiProxy, Fault
from operator_process import OperatorProcess, installation, wait_for

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Journal
from lccp.api.run import LCCPRun
from lccp.contract.errors import Conflict, InvalidInput, LccpError, NotFound, StoreUnavailable
from lccp.store import objects
from lccp.store.file import FileStore
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.cluster import TRIES
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.events import RETELL_SECONDS
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile import memory as memory_module
from lccp_operator.kubernetes.reconcile import reconciler as reconciler_module
from lccp_operator.kubernetes.reconcile.reconciler import Reconciler
from lccp_operator.kubernetes.reconcile.resync import IDLE_SECONDS
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import unreachable
from lccp_operator.observed import Unknown
from lccp_operator.plan.finish import POLL_SECONDS
from lccp_operator.workloads.training import Training

pytestmark = pytest.mark.apiserver

TRAINING = "tiny-train-a1"
WORKLOADS = (api.JOBS, api.PODS, api.SERVICES)
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
EVENT_REFUSED = Fault("POST", "/events", 403, body={"message": "no"})
RECONCILES = 'lccp_reconcile_duration_seconds_count{result="success"}'


@pytest.fixture
def operator(
    proxy: ApiProxy, namespace: Namespace, root: Path, tmp_path: Path
) -> Iterator[OperatorProcess]:
    settings = installation(root, namespaces=[namespace.name])
    process = OperatorProcess(tmp_path, proxy.kubeconfig(tmp_path / "kubeconfig"), settings)
    yield process.start().wait_ready()
    process.kill()


def test_a_new_run_costs_a_job_a_status_and_two_events(
    namespace: Namespace, operator: OperatorProcess, proxy: ApiProxy
) -> None:
    namespace.create_run(run_document("tiny"))
    wait_for(lambda: len(proxy.writes) == 4, "not all was told", operator.log)

    paths = [write.partition(f"/{namespace.name}/")[2] for write in proxy.writes]
    kinds = [path.partition("/")[0] for path in paths]
    assert namespace.run("tiny")["status"]["attempt"] == 1
    assert kinds == ["jobs", "lccpruns", "events", "events"]
    told = max(i for i, asked in enumerate(proxy.requests) if "/events" in asked)
    assert not [asked for asked in proxy.requests[:told] if asked.endswith("/lccpruns/tiny")]


def test_a_run_is_read_from_the_watch_and_from_what_was_written(
    namespace: Namespace, operator: OperatorProcess, proxy: ApiProxy
) -> None:
    namespace.create_run(run_document("tiny"))
    wait_for(lambda: len(proxy.writes) == 4, "not all was told", operator.log)
    JobPlayer(namespace).start(TRAINING, "Pending", conditions=[UNSCHEDULABLE])
    namespace.wait_condition("tiny", "Training", "Unschedulable")
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"spec": {"suspend": True}})
    namespace.wait_condition("tiny", "Suspended", "True", "Draining")

    assert f"GET {api.RUNS.path(namespace.name, 'tiny')}" not in proxy.requests


def test_a_run_that_goes_by_itself_is_let_go(
    namespace: Namespace, operator: OperatorProcess, proxy: ApiProxy
) -> None:
    namespace.create_run(run_document("tiny"))
    wait_for(lambda: len(proxy.writes) == 4, "not all was told", operator.log)
    reconciles = operator.metric(RECONCILES)

    namespace.api.delete(api.RUNS, namespace.name, "tiny")
    wait_for(lambda: operator.metric(RECONCILES) > reconciles, "nobody reconciles", operator.log)

    assert "deletionTimestamp" in namespace.run("tiny")["metadata"]
    assert len(proxy.writes) == 4


def test_a_run_that_another_program_keeps_loses_its_gang(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    document = run_document("tiny")
    document["metadata"]["finalizers"] = ["example.org/audit"]
    namespace.create_run(document)
    namespace.wait_job(TRAINING)

    namespace.api.delete(api.RUNS, namespace.name, "tiny", foreground=False)

    told = namespace.wait_condition("tiny", "Training", "Deleting")
    assert "example.org/audit" in told["message"]
    JobPlayer(namespace).let_go(TRAINING)
    wait_for(lambda: not namespace.jobs(), "its Job stays", operator.log)
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"metadata": {"finalizers": []}})
    wait_for(lambda: not namespace.api.list(api.RUNS, namespace.name), "it stays", operator.log)


def test_nothing_begins_beside_a_gang_whose_job_and_pods_lost_the_label_of_their_kind(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    namespace.create_run(run_document("tiny"))
    pods = JobPlayer(namespace).start(TRAINING)
    namespace.beat("tiny", 1, 0)
    namespace.wait_condition("tiny", "Training", "Running")

    for kind, name in [(api.JOBS, TRAINING), *((api.PODS, p["metadata"]["name"]) for p in pods)]:
        patch = {"metadata": {"labels": {labels.COMPONENT: None}}}
        namespace.api.patch(kind, namespace.name, name, patch)

    told = namespace.wait_condition("tiny", "Degraded", "True")
    assert f"the labels of Job {TRAINING} are not those of its name" in told["message"]
    assert [job["metadata"]["name"] for job in namespace.jobs()] == [TRAINING]


def test_that_a_run_is_left_to_another_installation_is_told_once(
    namespace: Namespace, operator: OperatorProcess, proxy: ApiProxy
) -> None:
    namespace.create_run(run_document("tiny"))
    wait_for(lambda: len(proxy.writes) == 4, "not all was told", operator.log)

    def change(kind: str, patch: Object, subresource: str = "") -> None:
        reconciles = operator.metric(RECONCILES)
        namespace.api.patch(api.RUNS, namespace.name, "tiny", {kind: patch}, subresource)
        wait_for(lambda: operator.metric(RECONCILES) > reconciles, "nobody reconciles")

    change("status", {"installation": "lab/other@00000001"}, "status")
    for number in range(3):
        change("metadata", {"annotations": {"example.com/number": str(number)}})

    told = [asked for asked in proxy.requests if asked.startswith("POST") and "/events" in asked]
    assert len(told) == 3


class Doubted(StoreHealth):
    """It counts how often it was doubted."""

    doubts = 0

    def doubt(self) -> None:
        self.doubts += 1


class Closed(FileStore):
    """It takes nothing."""

    def put_if_absent(self, key: str, data: bytes) -> str:
        raise InvalidInput("no room")


@contextmanager
def reconciling(
    namespace: Namespace,
    proxied: api.Cluster,
    health: StoreHealth,
    root: Path,
    release: str = "lccp",
    states: RunStates | None = None,
    adopts: str | None = None,
) -> Iterator[Reconciler]:
    own = {"name": release, "namespace": namespace.name}
    uid = namespace.api.get(api.NAMESPACES, None, namespace.name)["metadata"]["uid"][:8]
    others = [f"{namespace.name}/{adopts}@{uid}"] if adopts is not None else []
    told = installation(root, release=own, adoptFrom=others)
    settings = Installation.parse(told, "installation")
    informers = [Informer(proxied, kind, (namespace.name,), print) for kind in WORKLOADS]
    stop = threading.Event()
    for informer in informers:
        informer.start(stop)
    wait_for(lambda: all(one.synced for one in informers), "the informers do not sync")
    reader, states = WorkloadReader(proxied, *informers), states or RunStates(lambda: True)
    ownership = Ownership(proxied, settings)
    yield Reconciler(proxied, reader, settings, ownership, {"default": health}, states)
    stop.set()


def test_times_are_those_of_the_api_server(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    """By whose clock a pod's grace period ends, after which it counts as lost."""
    namespace.create_run(run_document("tiny"))
    health = StoreHealth(FileStore(tmp_path), print)
    earlier = datetime.now(UTC) - timedelta(minutes=10)
    dated = {"Date": format_datetime(earlier, usegmt=True)}

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        proxy.faults.append(Fault("GET", "/nodes", 200, dated))
        proxied.call("GET", "/api/v1/nodes")
        reconciler.reconcile(RunKey(namespace.name, "tiny"))

    found = objects.read(FileStore(tmp_path), namespace.keys("tiny").journal, Journal)
    assert found.accepted is not None
    assert abs(found.accepted.at - earlier) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("store", "status", "doubts"), [(FileStore, 422, 0), (Closed, None, 1)], ids=["API", "store"]
)
def test_a_store_is_doubted_for_what_it_refuses_itself(
    namespace: Namespace,
    proxied: api.Cluster,
    proxy: ApiProxy,
    tmp_path: Path,
    store: type[FileStore],
    status: int | None,
    doubts: int,
) -> None:
    health = Doubted(store(tmp_path), print)
    namespace.create_run(run_document("tiny"))
    if status is not None:
        proxy.faults.append(Fault("PATCH", "/status", status, body={"message": "no"}))

    with (
        reconciling(namespace, proxied, health, tmp_path) as reconciler,
        pytest.raises(InvalidInput),
    ):
        reconciler.reconcile(RunKey(namespace.name, "tiny"))

    assert health.doubts == doubts


def degraded(states: RunStates) -> list[tuple[str, float]]:
    """Reason and value of the run's condition, by the metrics."""
    samples = [sample for metric in states.collect() for sample in metric.samples]
    labels = [(sample.labels, sample.value) for sample in samples if "type" in sample.labels]
    return [(own["reason"], value) for own, value in labels if own["type"] == "Degraded"]


def failing(
    kind: type[LccpError],
    namespace: Namespace,
    proxied: api.Cluster,
    health: StoreHealth,
    folder: Path,
) -> list[list[tuple[str, float]]]:
    """What the metrics say after each of three reconciles of the run that end in such an error."""
    states, by_metrics = RunStates(lambda: True), []
    with reconciling(namespace, proxied, health, folder, states=states) as reconciler:
        for _ in range(3):
            with pytest.raises(kind):
                reconciler.reconcile(RunKey(namespace.name, "tiny"))
            by_metrics.append(degraded(states))
    health.ask()
    return by_metrics


def test_what_a_store_in_order_refuses_of_one_run_is_told(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health = StoreHealth(FileStore(tmp_path), print)
    (tmp_path / namespace.name).write_text("no folder")
    namespace.create_run(run_document("tiny"))

    by_metrics = failing(InvalidInput, namespace, proxied, health, tmp_path)

    told = namespace.conditions("tiny")["Degraded"]
    assert (told["reason"], health.outage) == ("ActionRefused", None)
    assert by_metrics == [[("ActionRefused", 1.0)]] * 3
    assert "may not be used (Not a directory): it is retried" in told["message"]


def test_what_a_reconcile_that_failed_wrote_is_no_other_writers_status(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    (tmp_path / namespace.name).write_text("no folder")
    namespace.create_run(run_document("tiny"))
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            with pytest.raises(InvalidInput):
                reconciler.reconcile(key)

        assert reconciler.memories[key].status_is_own


class Full(FileStore):
    """No space is left on its disk, but for the file of a probe if `almost`."""

    almost = False

    def put_if_absent(self, key: str, data: bytes) -> str:
        self._check(data)
        return super().put_if_absent(key, data)

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        self._check(data)
        return super().put_if_match(key, data, etag)

    def _check(self, data: bytes) -> None:
        if len(data) > self.almost:
            raise StoreUnavailable("store s: No space left on device")


@pytest.mark.parametrize("almost", [False, True])
def test_a_store_that_is_read_but_takes_no_writes_is_told(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path, almost: bool
) -> None:
    store = Full(tmp_path)
    store.almost = almost
    health = StoreHealth(FileStore(tmp_path), print)
    health.ask()
    health.store = store
    namespace.create_run(run_document("tiny"))

    by_metrics = failing(StoreUnavailable, namespace, proxied, health, tmp_path)

    told = namespace.conditions("tiny")["Degraded"]
    assert told["reason"] == "StoreUnreachable"
    assert told["message"] == unreachable(StoreUnavailable("store s: No space left on device"))
    assert by_metrics == [[("StoreUnreachable", 1.0)]] * 3
    assert (health.outage is None) is almost


def test_a_store_that_does_not_take_an_answer_is_doubted_too(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    """What follows the status, such as that evaluations are repeated, is also written there."""
    health, key = Doubted(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        reconciler.memories.clear()
        health.store = Full(tmp_path)
        asked = {"metadata": {"annotations": {labels.REEVALUATE: "all"}}}
        namespace.api.patch(api.RUNS, namespace.name, "tiny", asked)
        reconciler.run_changed(key, None)
        with pytest.raises(StoreUnavailable):
            reconciler.reconcile(key)

    assert health.doubts == 1


def test_of_two_installations_that_each_adopt_from_the_other_one_leaves_the_run(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with (
        reconciling(namespace, proxied, health, tmp_path, "one", adopts="two") as one,
        reconciling(namespace, proxied, health, tmp_path, "two", adopts="one") as two,
    ):
        versions = []
        for _ in range(8):
            for reconciler in (one, two):
                reconciler.run_changed(key, None)
                with suppress(Conflict):
                    reconciler.reconcile(key)
            versions.append(namespace.run("tiny")["metadata"]["resourceVersion"])

    assert len({*versions[4:]}) == 1
    found = namespace.api.list(api.EVENTS, namespace.name)
    (told,) = [e["message"] for e in found if "lives: it took this run back" in e["message"]]
    assert told.startswith(f"installation {namespace.run('tiny')['status']['installation']} lives")


def test_a_deletion_that_fails_again_and_again_is_in_the_metrics(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny", deletionPolicy="DeleteArtifacts"))
    states = RunStates(lambda: True)
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
    namespace.api.delete(api.RUNS, namespace.name, "tiny", foreground=False)

    with reconciling(namespace, proxied, health, tmp_path, states=states) as reconciler:
        proxy.faults.extend(Fault(verb, "", 409) for verb in ("POST", "PATCH", "DELETE"))
        with pytest.raises(Conflict):
            reconciler.reconcile(key)
        proxy.faults.clear()

    names = {sample.name for metric in states.collect() for sample in metric.samples}
    assert "lccp_run_deletion_timestamp_seconds" in names


def test_a_refused_workload_is_reported_by_the_reconcile_that_was_refused(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    denied = {"message": 'failed calling webhook "x.y.z": connection refused'}
    proxy.faults.extend(Fault("POST", "/jobs", 500, body=denied) for _ in range(2))

    states = RunStates(lambda: True)
    with reconciling(namespace, proxied, health, tmp_path, states=states) as reconciler:
        reconciler.reconcile(key)
        assert namespace.conditions("tiny")["Training"]["reason"] == "PodRejected"
        assert "PodRejected" in [
            s.labels.get("reason") for m in states.collect() for s in m.samples
        ]
        reconciler.reconcile(key)

    said = objects.read(health.store, namespace.keys("tiny").conditions, RunConditions)
    assert "PodRejected" in {condition.reason for condition in said.conditions}
    assert namespace.events("tiny").count("Refused") == 1


def test_a_job_that_is_refused_as_not_found_does_not_count_as_a_deleted_run(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    """A webhook refuses with any status it likes."""
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    proxy.faults.append(Fault("POST", "/jobs", 404, body={"message": "no such team"}))

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(key)
        told = namespace.conditions("tiny")["Training"]
        reconciler.reconcile(key)

    assert told["reason"] == "PodRejected"
    assert "no such team" in told["message"]
    assert [job["metadata"]["name"] for job in namespace.jobs()] == [TRAINING]


@pytest.mark.parametrize("there", [True, False])
def test_only_a_run_object_that_is_gone_counts_as_deleted(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path, there: bool
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(key)
        body = namespace.run("tiny")
        if there:
            proxy.faults.append(Fault("PATCH", "/status", 404))
        else:
            namespace.api.delete(api.RUNS, namespace.name, "tiny", foreground=False)
        reconciler.run_changed(key, body)
        with pytest.raises(NotFound) if there else nullcontext():
            assert reconciler.reconcile(key) == math.inf

    accepted = objects.read(health.store, namespace.keys("tiny").journal, Journal).accepted
    assert accepted is not None
    assert (accepted.deleted_at is None) is there


class Contended(FileStore):
    """It says of each conditional write that another writer was first, but of the first object."""

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        raise Conflict(f"store s: {key} was changed by another writer")


def test_a_conflict_that_lasts_is_told_until_it_is_over(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        health.store = Contended(tmp_path)
        JobPlayer(namespace).start(TRAINING)
        monkeypatch.setattr(memory_module, "RACE_SECONDS", 0.5)
        told = []
        for _ in range(3):
            wait_for(lambda: conflicts(reconciler, key), "the journal is not written")
            told.append(namespace.conditions("tiny")["Degraded"]["status"])
            time.sleep(0.6)
        message = namespace.conditions("tiny")["Degraded"]["message"]
        health.store = FileStore(tmp_path)
        reconciler.reconcile(key)

    assert told == ["False", "True", "True"]
    assert "journal.json was changed by another writer: again and again, so" in message
    assert namespace.conditions("tiny")["Degraded"]["reason"] == "Healthy"


def test_a_status_that_is_not_found_though_the_run_is_there_is_told_by_an_event(
    namespace: Namespace,
    proxied: api.Cluster,
    proxy: ApiProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a cluster whose CRD has no subresource status."""
    monkeypatch.setattr(memory_module, "RACE_SECONDS", 0.2)
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    proxy.faults.extend(Fault("PATCH", "/status", 404) for _ in range(5))

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for events in ([], ["Refused"], ["Refused"]):
            with pytest.raises(NotFound):
                reconciler.reconcile(key)
            assert namespace.events("tiny") == events
            time.sleep(0.3)
        message = namespace.api.list(api.EVENTS, namespace.name)[0]["message"]
        reconciler.reconcile(key)

    assert "/lccpruns/tiny/status: " in message
    assert "if the run is there, the CRD in the cluster is of another version" in message
    assert "again and again, though the run is there: it is retried" in message
    assert namespace.run("tiny")["status"]["installation"]


def conflicts(reconciler: Reconciler, key: RunKey) -> bool:
    reconciler.workloads_changed(key)
    try:
        reconciler.reconcile(key)
    except Conflict:
        return True
    return False


def wait_degraded(reconciler: Reconciler, key: RunKey, namespace: Namespace, told: str) -> None:
    """Reconcile until the condition says so."""
    wait_for(
        lambda: (
            reconciler.reconcile(key)
            and told in namespace.conditions("tiny")["Degraded"]["message"]
        ),
        "it is not told",
    )


def test_a_service_that_somebody_deletes_is_there_again_after_a_reconcile(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny", topology={"nodes": 2}))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        before = namespace.api.get(api.SERVICES, namespace.name, TRAINING)["metadata"]["uid"]
        namespace.api.delete(api.SERVICES, namespace.name, TRAINING, foreground=False)
        wait_degraded(
            reconciler,
            key,
            namespace,
            "find each other is gone, or somebody changed what it selects: it is made again",
        )
        again = namespace.api.get(api.SERVICES, namespace.name, TRAINING)["metadata"]["uid"]
        reconciler.workloads_changed(key)
        reconciler.reconcile(key)

    assert again != before
    assert namespace.conditions("tiny")["Degraded"]["reason"] == "Healthy"
    assert len(namespace.jobs()) == 1


def test_a_run_whose_status_prefix_and_abandoned_gang_are_gone_is_not_begun_again(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        run = LCCPRun.parse(namespace.run("tiny"), "tiny")
        reconciler.memories[key].workloads.delete(run, Training(1), wait_for_pods=False)
        wait_for(lambda: not namespace.jobs(), "its Job stays")
    shutil.rmtree(tmp_path / namespace.name)
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"status": None}, "status")
    assert "status" not in namespace.run("tiny")

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)

    assert namespace.conditions("tiny")["Degraded"]["reason"] == "StoredRunMissing"
    assert namespace.jobs() == []


@pytest.mark.parametrize(
    "selector",
    [{"color": "blue"}, {labels.ATTEMPT: None}],
    ids=["others", "all attempts"],
)
def test_a_service_whose_selector_somebody_edits_is_made_again(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path, selector: Object
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny", topology={"nodes": 2}))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        asked = namespace.api.get(api.SERVICES, namespace.name, TRAINING)["spec"]["selector"]
        edit = {"spec": {"selector": selector}}
        namespace.api.patch(api.SERVICES, namespace.name, TRAINING, edit)
        wait_degraded(reconciler, key, namespace, "somebody changed what it selects")
        reconciler.workloads_changed(key)
        reconciler.reconcile(key)

    assert namespace.api.get(api.SERVICES, namespace.name, TRAINING)["spec"]["selector"] == asked
    assert namespace.conditions("tiny")["Degraded"]["reason"] == "Healthy"
    assert len(namespace.jobs()) == 1


def test_a_run_of_several_nodes_may_begin_with_a_digit(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "1num")
    namespace.create_run(run_document("1num", topology={"nodes": 2}))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)

    (job,) = namespace.jobs()
    (service,) = namespace.api.list(api.SERVICES, namespace.name)
    assert job["metadata"]["name"] == "1num-train-a1"
    assert job["spec"]["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert namespace.conditions("1num")["Degraded"]["reason"] == "Healthy"


def test_nothing_is_begun_in_a_namespace_that_is_being_deleted(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(namespace.root), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(2):
            reconciler.reconcile(key)
        namespace.beat("tiny", 1, 0)
        namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")
        namespace.api.delete(api.JOBS, namespace.name, TRAINING, foreground=False)
        told = "is being deleted: no attempt is started"
        wait_for(
            lambda: (
                reconciler.reconcile(key)
                and told in namespace.conditions("tiny")["Training"]["message"]
            ),
            "it is not told",
        )

    assert namespace.run("tiny")["status"]["attempt"] == 1


def test_events_that_the_api_server_refused_are_posted_later(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    proxy.faults.extend([EVENT_REFUSED] * 2)

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(key)
        assert reconciler.reconcile(key) <= RETELL_SECONDS
        assert namespace.events("tiny") == []
        for _ in range(2):
            reconciler.reconcile(key)

    assert sorted(namespace.events("tiny")) == ["Accepted", "AttemptStarted"]


def test_an_event_about_a_run_of_another_installation_that_was_refused_is_posted_later(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    claim = {"status": {"installation": "other/lccp@00000000"}}
    namespace.api.patch(api.RUNS, namespace.name, "tiny", claim, "status")
    proxy.faults.append(EVENT_REFUSED)

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(3):
            reconciler.reconcile(key)

    assert namespace.events("tiny") == ["Refused"]
    assert sum("/events" in write for write in proxy.writes) == 1


def test_what_is_due_does_not_wait_for_events_that_the_api_server_refuses(
    namespace: Namespace,
    proxied: api.Cluster,
    proxy: ApiProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciler_module, "RETELL_SECONDS", 100.0)
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny"))
    proxy.faults.extend([EVENT_REFUSED] * 2)

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(key)

        assert reconciler.reconcile(key) <= POLL_SECONDS


def test_a_run_at_rest_is_looked_at_long_before_its_deadline(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    namespace.create_run(run_document("tiny", suspend=True, activeDeadlineSeconds=86_400))

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        assert [reconciler.reconcile(key) for _ in range(3)] == [IDLE_SECONDS] * 3


def test_a_gang_that_a_webhook_halves_is_told_and_not_trained(
    namespace: Namespace, proxied: api.Cluster, webhook: Webhook, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    webhook.patch = HALVED
    namespace.create_run(run_document("tiny", topology={"nodes": 2}))

    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        for _ in range(5):
            reconciler.reconcile(key)

    told = namespace.conditions("tiny")["Training"]
    assert (told["status"], told["reason"]) == ("False", "PodRejected")
    assert "spec.parallelism is 1, not 2" in told["message"]
    assert namespace.jobs() == []
    assert namespace.run("tiny")["status"]["attempt"] == 1
    assert namespace.events("tiny").count("Refused") == 1


def test_a_gang_that_a_webhook_halved_is_found_by_the_next_operator(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, webhook: Webhook, tmp_path: Path
) -> None:
    health, key = StoreHealth(FileStore(tmp_path), print), RunKey(namespace.name, "tiny")
    webhook.patch = HALVED
    proxy.faults.extend([Fault("DELETE", "/jobs/", 503)] * TRIES)
    namespace.create_run(run_document("tiny", topology={"nodes": 2}))
    with (
        reconciling(namespace, proxied, health, tmp_path) as first,
        pytest.raises(api.ApiUnavailable),
    ):
        first.reconcile(key)
    assert len(namespace.jobs()) == 1

    webhook.patch = []
    with reconciling(namespace, proxied, health, tmp_path) as second:
        second.reconcile(key)
        assert "spec.completions is 1, not 2" in namespace.conditions("tiny")["Training"]["message"]
        assert namespace.jobs() == []
        second.reconcile(key)

    (job,) = namespace.jobs()
    assert job["spec"]["completions"] == 2
    assert namespace.run("tiny")["status"]["attempt"] == 1
    assert namespace.events("tiny").count("Refused") == 1


def silent(root: Path, why: str) -> StoreHealth:
    health = StoreHealth(FileStore(root), print)
    health.outage = Unknown(datetime.now(UTC), why, Reason.STORE_UNREACHABLE, watched=True)
    return health


def test_two_releases_that_reach_no_store_do_not_overwrite_each_other_in_turns(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, tmp_path: Path
) -> None:
    key = RunKey(namespace.name, "tiny")
    healths = [silent(tmp_path, f"store {n} is silent") for n in range(2)]
    namespace.create_run(run_document("tiny"))
    with (
        reconciling(namespace, proxied, healths[0], tmp_path, "lccp-0") as first,
        reconciling(namespace, proxied, healths[1], tmp_path, "lccp-1") as second,
    ):
        for one in (first, second) * 4:
            one.run_changed(key, namespace.run("tiny"))
            one.reconcile(key)

    assert len(proxy.writes) <= 2
    with reconciling(namespace, proxied, silent(tmp_path, "no keys"), tmp_path, "lccp-0") as next_:
        next_.reconcile(key)
    assert "no keys" in namespace.conditions("tiny")["Degraded"]["message"]


def test_one_reconcile_reads_the_clock_once(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[datetime] = []

    def now(zone: tzinfo) -> datetime:
        read.append(datetime.now(zone))
        return read[-1]

    monkeypatch.setattr(reconciler_module, "datetime", SimpleNamespace(now=now))
    health = StoreHealth(FileStore(tmp_path), print)
    namespace.create_run(run_document("tiny"))
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(RunKey(namespace.name, "tiny"))

    assert len(read) == 1


def test_a_reconcile_that_fails_as_nobody_foresaw_tells_the_run(
    namespace: Namespace, proxied: api.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def plan(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(reconciler_module, "plan", plan)
    health = StoreHealth(FileStore(tmp_path), print)
    namespace.create_run(run_document("tiny"))
    key = RunKey(namespace.name, "tiny")
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        with pytest.raises(ZeroDivisionError):
            reconciler.reconcile(key)
        assert not reconciler.run_changed(key, namespace.run("tiny"))  # Else it fails at once.

    assert namespace.events("tiny") == ["Fault"]
    degraded = namespace.conditions("tiny")["Degraded"]
    assert (degraded["status"], degraded["reason"]) == ("True", "Fault")
    assert "LCCP fails to reconcile this run (ZeroDivisionError: by zero)" in degraded["message"]

    monkeypatch.undo()
    with reconciling(namespace, proxied, health, tmp_path) as reconciler:
        reconciler.reconcile(key)
        reconciler.reconcile(key)
    assert namespace.conditions("tiny")["Degraded"]["reason"] == "Healthy"
