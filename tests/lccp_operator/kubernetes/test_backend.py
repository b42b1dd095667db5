"""Workloads, status and events of a run, as written to a cluster."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from a_cluster import Namespace, run_document
from api_proxy import ApiProxy, Fault
from operator_process import installation, wait_for

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.api import cluster as calls
from lccp_operator.kubernetes.api.answers import AlreadyExists
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import (
    PRIORITY_BOOST,
    KubernetesRuns,
    KubernetesWorkloads,
)
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.jobs import job as job_of
from lccp_operator.kubernetes.workloads.reading import JOB_UID_LABEL, WorkloadReader
from lccp_operator.workloads.state import SavedState, Trouble
from lccp_operator.workloads.training import Training

pytestmark = pytest.mark.apiserver

DEFINITIONS = api.Kind("apiextensions.k8s.io/v1", "customresourcedefinitions")


@pytest.fixture
def run(namespace: Namespace) -> LCCPRun:
    return LCCPRun.parse(namespace.create_run(run_document("tiny")), "run")


@pytest.fixture
def settings(tmp_path: Path) -> Installation:
    return Installation.parse(installation(tmp_path), "installation")


@pytest.fixture
def workloads(proxied: Cluster, settings: Installation) -> KubernetesWorkloads:
    cached = [
        Informer(proxied, kind, (), lambda _: None) for kind in (api.JOBS, api.PODS, api.SERVICES)
    ]
    reader = WorkloadReader(proxied, *cached)
    return KubernetesWorkloads(proxied, reader, LateAnswers(proxied), settings.store("default"))


def test_a_webhook_that_does_not_answer_refuses_the_workload_and_nothing_else(
    proxy: ApiProxy, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    told = 'Internal error occurred: failed calling webhook "mjob.kb.io": connection refused'
    proxy.faults.append(Fault("POST", "jobs", 500, body={"message": told}))

    workloads.apply(run, Training(1), settings.offered(run))
    assert workloads.rejected == {Training(1): Trouble(Reason.POD_REJECTED, told)}

    workloads.apply(run, Training(1), settings.offered(run))
    assert workloads.rejected == {}


def test_a_webhook_that_takes_longer_than_a_call_may_is_told(
    proxy: ApiProxy,
    run: LCCPRun,
    workloads: KubernetesWorkloads,
    settings: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = 'Internal error occurred: failed calling webhook "x.y.z": context deadline exceeded'
    monkeypatch.setattr(calls, "TIMEOUT_SECONDS", 0.5)
    proxy.faults.append(Fault("POST", "jobs", 500, body={"message": told}, seconds=1.5))

    workloads.apply(run, Training(1), settings.offered(run))
    assert workloads.rejected == {Training(1): Trouble(Reason.POD_REJECTED, told)}


def test_a_workload_that_exists_is_taken_as_it_is(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    workloads.apply(run, Training(1), settings.offered(run))
    (first,) = namespace.jobs()
    workloads.apply(run, Training(1), settings.offered(run))
    (again,) = namespace.jobs()

    assert workloads.rejected == {}
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@pytest.mark.parametrize("attempt", [1, 2], ids=["itself", "the next attempt's"])
def test_beside_a_job_that_lost_its_label_nothing_is_started(
    attempt: int,
    namespace: Namespace,
    run: LCCPRun,
    workloads: KubernetesWorkloads,
    settings: Installation,
) -> None:
    workloads.apply(run, Training(1), settings.offered(run))
    patch = {"metadata": {"labels": {"lccp.io/run": None}}}
    namespace.api.patch(api.JOBS, namespace.name, "tiny-train-a1", patch)

    workloads.apply(run, Training(attempt), settings.offered(run))

    told = "Job tiny-train-a1 has lost its label lccp.io/run=tiny: nothing is started beside it"
    assert workloads.rejected == {Training(attempt): Trouble(Reason.HELD_BACK, told)}
    namespace.api.delete(api.JOBS, namespace.name, "tiny-train-a1", foreground=False)
    workloads.apply(run, Training(attempt), settings.offered(run))
    assert workloads.rejected == {}


def test_beside_a_job_that_goes_on_the_next_attempt_is_not_started(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    """Its label was put back after it had been read as gone."""
    workloads.apply(run, Training(1), settings.offered(run))

    workloads.apply(run, Training(2), settings.offered(run))

    told = "Job tiny-train-a1 has not ended: nothing is started beside it"
    assert workloads.rejected == {Training(2): Trouble(Reason.HELD_BACK, told)}
    assert len(namespace.jobs()) == 1


def test_a_job_says_which_installation_made_it(
    namespace: Namespace, run: LCCPRun, proxied: Cluster, settings: Installation
) -> None:
    cached = [
        Informer(proxied, kind, (), lambda _: None) for kind in (api.JOBS, api.PODS, api.SERVICES)
    ]
    reader, late = WorkloadReader(proxied, *cached), LateAnswers(proxied)
    store = settings.store("default")
    for installation_id in ("lccp/one@00000001", "lccp/two@00000002"):
        workloads = KubernetesWorkloads(proxied, reader, late, store, installation_id)
        workloads.apply(run, Training(1), settings.offered(run))

    (job,) = namespace.jobs()
    assert job["metadata"]["annotations"]["lccp.io/installation"] == "lccp/one@00000001"


def test_the_newest_state_is_told_on_the_gangs_job(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, settings: Installation
) -> None:
    state = SavedState(8_192, datetime(2026, 1, 5, 9, tzinfo=UTC))
    workloads.tell_state(run, Training(1), state)
    workloads.apply(run, Training(1), settings.offered(run))
    workloads.tell_state(run, Training(1), state)

    (job,) = namespace.jobs()
    told = job["metadata"]["annotations"]
    assert told["lccp.io/last-state-at"] == "2026-01-05T09:00:00Z"
    assert told["lccp.io/last-state-tokens"] == "8192"
    assert told["lccp.io/last-state-old"] == "false"
    assert PRIORITY_BOOST not in told


@pytest.fixture
def kueue(namespace: Namespace) -> None:
    """Its API of Workloads, of any content."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True}
    definition = {
        "apiVersion": DEFINITIONS.api_version,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "workloads.kueue.x-k8s.io"},
        "spec": {
            "group": "kueue.x-k8s.io",
            "scope": "Namespaced",
            "names": {"kind": "Workload", "plural": "workloads"},
            "versions": [version | {"schema": {"openAPIV3Schema": anything}}],
        },
    }
    with suppress(AlreadyExists):
        namespace.api.call("POST", DEFINITIONS.path(None), definition)
    wait_for(lambda: is_served(namespace), "the API of Workloads is not served")


def is_served(namespace: Namespace) -> bool:
    try:
        namespace.api.list(api.KUEUE_WORKLOADS, namespace.name)
    except NotFound:
        return False
    return True


def add_workload(namespace: Namespace, name: str, job_uid: str) -> None:
    meta = {"name": name, "labels": {JOB_UID_LABEL: job_uid}}
    document = {"apiVersion": api.KUEUE_WORKLOADS.api_version, "kind": "Workload", "metadata": meta}
    namespace.create_object(api.KUEUE_WORKLOADS, document)


def boost(found: Object) -> str | None:
    told: str | None = found["metadata"].get("annotations", {}).get(PRIORITY_BOOST)
    return told


@pytest.mark.usefixtures("kueue")
def test_the_boost_is_written_to_the_gangs_own_workload_once_it_is_allowed(
    namespace: Namespace,
    run: LCCPRun,
    workloads: KubernetesWorkloads,
    settings: Installation,
    proxy: ApiProxy,
) -> None:
    workloads.apply(run, Training(1), settings.offered(run))
    add_workload(namespace, "own", namespace.jobs()[0]["metadata"]["uid"])
    add_workload(namespace, "another", "0f5a1a0e-8f4c-4f0e-9a37-2a8f4a4f8f55")
    state = SavedState(8_192, datetime(2026, 1, 5, 9, tzinfo=UTC), old=True, boost=50)

    def tell(state: SavedState) -> list[str | None]:
        workloads.tell_state(run, Training(1), state)
        found = namespace.api.list(api.KUEUE_WORKLOADS, namespace.name)
        own, another = sorted(found, key=lambda one: str(one["metadata"]["name"]), reverse=True)
        return [boost(one) for one in (own, another, *namespace.jobs())]

    proxy.faults.append(Fault("PATCH", "/workloads/", 403, body={"message": "no"}))
    assert tell(state) == [None, None, None]
    (job,) = namespace.jobs()
    assert "lccp.io/last-state-old" not in job["metadata"]["annotations"]

    assert tell(state) == ["50", None, "50"]
    assert tell(replace(state, old=False, boost=0)) == ["0", None, "0"]


@pytest.mark.parametrize("status", [403, 422, 500], ids=["forbidden", "refused", "silent"])
def test_a_state_that_cannot_be_told_holds_nothing_up_and_is_told_later(
    namespace: Namespace,
    run: LCCPRun,
    workloads: KubernetesWorkloads,
    settings: Installation,
    proxy: ApiProxy,
    status: int,
) -> None:
    state = SavedState(8_192, datetime(2026, 1, 5, 9, tzinfo=UTC))
    workloads.apply(run, Training(1), settings.offered(run))
    proxy.faults.extend([Fault("PATCH", "/jobs/", status, body={"message": "no"})] * calls.TRIES)

    workloads.tell_state(run, Training(1), state)
    assert "lccp.io/last-state-at" not in namespace.jobs()[0]["metadata"]["annotations"]
    proxy.faults.clear()
    workloads.tell_state(run, Training(1), state)
    assert namespace.jobs()[0]["metadata"]["annotations"]["lccp.io/last-state-tokens"] == "8192"


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


@pytest.fixture
def informed(proxied: Cluster, settings: Installation) -> Iterator[KubernetesWorkloads]:
    """With informers that follow the API server."""
    stop, cached = (
        Event(),
        [Informer(proxied, k, (), lambda _: None) for k in (api.JOBS, api.PODS, api.SERVICES)],
    )
    for informer in cached:
        informer.start(stop)
    wait_for(lambda: all(informer.synced for informer in cached), "they know nothing")
    yield KubernetesWorkloads(
        proxied, WorkloadReader(proxied, *cached), LateAnswers(proxied), settings.store("default")
    )
    stop.set()


@pytest.fixture
def gang_of_two(namespace: Namespace) -> LCCPRun:
    document = run_document("pair", topology={"nodes": 2})
    return LCCPRun.parse(namespace.create_run(document), "pair")


def test_a_gang_is_deleted_also_where_a_policy_keeps_the_run_from_being_annotated(
    namespace: Namespace,
    proxy: ApiProxy,
    run: LCCPRun,
    informed: KubernetesWorkloads,
    settings: Installation,
    caplog: pytest.LogCaptureFixture,
) -> None:
    informed.apply(run, Training(1), settings.offered(run))
    began = run.model_copy(update={"status": LCCPRunStatus(start_time=datetime.now(UTC))})
    refusal = {"message": "annotations of runs are immutable"}
    proxy.faults.append(Fault("PATCH", "/lccpruns/tiny", 403, body=refusal))

    informed.delete(began, Training(1), wait_for_pods=False)

    assert namespace.jobs() == []
    assert "annotations of runs are immutable" in caplog.text


def test_a_service_of_someone_else_under_the_gangs_name_is_named_and_stays(
    namespace: Namespace,
    gang_of_two: LCCPRun,
    informed: KubernetesWorkloads,
    settings: Installation,
) -> None:
    meta, spec = {"name": "pair-train-a1"}, {"clusterIP": "None", "selector": {"a": "b"}}
    namespace.create_object(
        api.SERVICES, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    )

    informed.apply(gang_of_two, Training(1), settings.offered(gang_of_two))

    trouble = informed.rejected[Training(1)]
    assert "there is another Service pair-train-a1 in the namespace" in trouble.message
    assert namespace.jobs() == []
    informed.delete(gang_of_two, Training(1))
    left = namespace.api.get(api.SERVICES, namespace.name, "pair-train-a1")
    assert "deletionTimestamp" not in left["metadata"]


def test_a_gangs_own_service_goes_with_it(
    namespace: Namespace,
    gang_of_two: LCCPRun,
    informed: KubernetesWorkloads,
    settings: Installation,
) -> None:
    for _ in range(2):
        informed.apply(gang_of_two, Training(1), settings.offered(gang_of_two))
    assert informed.rejected == {}

    informed.delete(gang_of_two, Training(1))

    found = namespace.api.get(api.SERVICES, namespace.name, "pair-train-a1")
    assert "deletionTimestamp" in found["metadata"]


def test_an_edited_service_that_a_finalizer_keeps_is_named_until_it_is_replaced(
    namespace: Namespace,
    gang_of_two: LCCPRun,
    informed: KubernetesWorkloads,
    settings: Installation,
) -> None:
    offered, name = settings.offered(gang_of_two), "pair-train-a1"
    informed.apply(gang_of_two, Training(1), offered)
    held = {"finalizers": ["example.org/dns"]}
    edit = {"metadata": held, "spec": {"selector": {"color": "blue"}}}
    namespace.api.patch(api.SERVICES, namespace.name, name, edit)

    informed.apply(gang_of_two, Training(1), offered)
    told = "can't be replaced while finalizers keep it: example.org/dns"
    assert told in informed.rejected[Training(1)].message

    namespace.api.patch(api.SERVICES, namespace.name, name, {"metadata": {"finalizers": []}})
    informed.apply(gang_of_two, Training(1), offered)
    assert informed.rejected == {}
    found = namespace.api.get(api.SERVICES, namespace.name, name)
    assert "color" not in found["spec"]["selector"]


def test_a_gangs_own_service_that_lost_its_label_is_named_and_goes_with_it(
    namespace: Namespace,
    gang_of_two: LCCPRun,
    informed: KubernetesWorkloads,
    settings: Installation,
) -> None:
    informed.apply(gang_of_two, Training(1), settings.offered(gang_of_two))
    unlabelled = {"metadata": {"labels": {"lccp.io/run": None}}}
    namespace.api.patch(api.SERVICES, namespace.name, "pair-train-a1", unlabelled)

    informed.apply(gang_of_two, Training(1), settings.offered(gang_of_two))

    trouble = informed.rejected[Training(1)]
    assert "Service pair-train-a1 has lost its label lccp.io/run=pair" in trouble.message
    informed.delete(gang_of_two, Training(1))
    found = namespace.api.get(api.SERVICES, namespace.name, "pair-train-a1")
    assert "deletionTimestamp" in found["metadata"]


def test_a_status_is_not_written_over_one_that_was_not_read(
    namespace: Namespace, run: LCCPRun
) -> None:
    version = namespace.run("tiny")["metadata"]["resourceVersion"]
    runs = KubernetesRuns(namespace.api, version, LateAnswers(namespace.api))
    runs.write_status(run, LCCPRunStatus(attempt=1))
    runs.write_status(run, LCCPRunStatus(attempt=2))

    with pytest.raises(Conflict):
        KubernetesRuns(namespace.api, version, LateAnswers(namespace.api)).write_status(
            run, LCCPRunStatus(attempt=3)
        )
    assert namespace.run("tiny")["status"]["attempt"] == 2


def test_fields_of_a_status_that_are_no_longer_set_go(namespace: Namespace, run: LCCPRun) -> None:
    version = namespace.run("tiny")["metadata"]["resourceVersion"]
    runs = KubernetesRuns(namespace.api, version, LateAnswers(namespace.api))
    runs.write_status(run, LCCPRunStatus(start_time="2026-01-05T09:00:00Z"))
    runs.write_status(run, LCCPRunStatus())

    assert "startTime" not in namespace.run("tiny")["status"]
