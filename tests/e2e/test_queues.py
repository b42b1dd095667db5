"""Runs in queues of a real Kueue: they wait, make room for more urgent ones, and go on exactly."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from operator_process import wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster

from lccp.api.causes import Cause
from lccp.api.objects.training import End
from lccp.store import objects
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import PRIORITY_BOOST
from lccp_operator.kubernetes.workloads.reading import JOB_UID_LABEL

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

KUEUE = "kueue.x-k8s.io/v1beta1"
CLUSTER_QUEUES = api.Kind(KUEUE, "clusterqueues")
LOCAL_QUEUES = api.Kind(KUEUE, "localqueues")
FLAVORS = api.Kind(KUEUE, "resourceflavors")
PRIORITIES = api.Kind(KUEUE, "workloadpriorityclasses")

ONE_POD, HALF_A_POD = {"requests": {"cpu": "50m"}}, {"requests": {"cpu": "25m"}}
TIME_TO_SAVE = {"terminationGracePeriodSeconds": 20}
CHECKPOINTS = [EVERY_TOKENS, 2 * EVERY_TOKENS]
STEPS = 4
STEP_TOKENS = EVERY_TOKENS // STEPS
BOOST = 50
MIDWAY_TOKENS = EVERY_TOKENS + 2 * STEP_TOKENS
NAMED_WITHIN_SECONDS, LONG_SECONDS = 30.0, 120.0


@dataclass(frozen=True)
class Queue:
    """A LocalQueue of the namespace; its ClusterQueue, of the same name, has room for one pod."""

    namespace: Namespace
    name: str

    @classmethod
    def create(cls, namespace: Namespace, stop_policy: str = "None") -> "Queue":
        queue = cls(namespace, f"queue-{uuid.uuid4().hex[:8]}")
        flavor = {"name": queue.name, "resources": [{"name": "cpu", "nominalQuota": "50m"}]}
        spec = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
            "preemption": {"withinClusterQueue": "LowerPriority"},
            "resourceGroups": [{"coveredResources": ["cpu"], "flavors": [flavor]}],
            "stopPolicy": stop_policy,
        }
        queue.add_object(FLAVORS, "ResourceFlavor", spec={})
        queue.add_object(PRIORITIES, "WorkloadPriorityClass", value=1_000)
        queue.add_object(CLUSTER_QUEUES, "ClusterQueue", spec=spec)
        queue.add_local(queue.name)
        return queue

    def add_local(self, name: str) -> None:
        """Another LocalQueue of the namespace."""
        local = {"apiVersion": KUEUE, "kind": "LocalQueue", "metadata": {"name": name}}
        self.namespace.create_object(LOCAL_QUEUES, local | {"spec": {"clusterQueue": self.name}})

    def let_in(self) -> None:
        """Let a queue that was stopped admit what waits."""
        path = CLUSTER_QUEUES.path(None, self.name)
        patch = {"spec": {"stopPolicy": "None"}}
        self.namespace.api.call("PATCH", path, patch, media_type="application/merge-patch+json")

    def delete(self) -> None:
        for kind in (CLUSTER_QUEUES, PRIORITIES, FLAVORS):
            self.namespace.api.call("DELETE", kind.path(None, self.name))

    def workloads(self, job: str | None = None) -> list[Object]:
        """Workloads of the namespace, or those of one Job."""
        found = self.namespace.api.list(api.KUEUE_WORKLOADS, self.namespace.name)
        owners = [(w, {o["name"] for o in w["metadata"]["ownerReferences"]}) for w in found]
        return [workload for workload, names in owners if job is None or job in names]

    def add_object(self, kind: api.Kind, name: str, **parts: Any) -> None:
        """An object of the queue's name, outside of any namespace."""
        document = {"apiVersion": KUEUE, "kind": name, "metadata": {"name": self.name}, **parts}
        self.namespace.api.call("POST", kind.path(None), document)


@pytest.fixture(scope="module")
def namespaces(
    stubs: StubCluster, kubeconfig: Path, kueue: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Iterator[Namespace]]:
    """Namespaces that an operator looks after, one for each test."""
    told = {"checkpointAwarePreemption": True, "kueuePriorityBoost": BOOST}
    folder = tmp_path_factory.mktemp("queues")
    with stubs.operated(kubeconfig, folder, number=6, **told) as made:
        yield iter(made)


@pytest.fixture
def queue(namespaces: Iterator[Namespace]) -> Iterator[Queue]:
    made = Queue.create(next(namespaces))
    yield made
    made.delete()


@pytest.fixture
def stopped_queue(namespaces: Iterator[Namespace]) -> Iterator[Queue]:
    """A queue that lets nothing in."""
    made = Queue.create(next(namespaces), "Hold")
    yield made
    made.delete()


def a_run(
    stubs: StubCluster, namespace: Namespace, queue: str, *trainer: str, name: str = "tiny"
) -> Object:
    """A run whose gang goes through the queue."""
    document = stubs.document(namespace, *trainer)
    document["metadata"]["name"] = name
    document["spec"]["topology"] |= {"queueName": queue, "resources": ONE_POD}
    return document


def wait_queued(namespace: Namespace, run: str) -> Object:
    queued: Object = namespace.wait_condition(
        run, "Training", "Queued", seconds=NAMED_WITHIN_SECONDS
    )
    return queued


def wait_ended(namespace: Namespace, run: str = "tiny") -> None:
    namespace.wait_condition(run, "Succeeded", "Completed", seconds=LONG_SECONDS)


def test_a_run_waits_behind_another_until_there_is_room(stubs: StubCluster, queue: Queue) -> None:
    namespace = queue.namespace
    waits = stubs.waiting(namespace, EVERY_TOKENS, "first")
    namespace.create_run(a_run(stubs, namespace, queue.name, *waits, name="first"))
    namespace.wait_condition("first", "Training", "Running", seconds=LONG_SECONDS)
    namespace.create_run(a_run(stubs, namespace, queue.name, name="second"))

    queued = wait_queued(namespace, "second")

    assert queued["status"] == "False"
    wait_for(
        lambda: f"queue {queue.name}, behind first-train-a1: " in told(namespace, "second"),
        "its condition does not tell of the queue",
    )
    assert namespace.run("second")["status"]["summary"] == "Queued"
    assert namespace.pods("second-train-a1") == []

    stubs.go_on(namespace, "first")
    wait_ended(namespace, "first")
    wait_ended(namespace, "second")
    assert [a.cause for a in namespace.journal("second").attempts] == [Cause.COMPLETED]


def told(namespace: Namespace, run: str) -> str:
    return str(namespace.conditions(run)["Training"].get("message"))


def test_a_preempted_run_saves_its_state_waits_and_resumes_exactly(
    stubs: StubCluster, queue: Queue
) -> None:
    namespace = queue.namespace
    options = ("--steps", str(STEPS), *stubs.waiting(namespace, MIDWAY_TOKENS, "patient"))
    patient = a_run(stubs, namespace, queue.name, *options, name="patient")
    patient["spec"]["topology"] |= {"nodes": 2, "resources": HALF_A_POD}
    patient["spec"]["topology"]["podTemplate"]["spec"] |= TIME_TO_SAVE
    namespace.create_run(patient)
    midway = [*range(STEP_TOKENS, MIDWAY_TOKENS + 1, STEP_TOKENS)]
    wait_for(
        lambda: [*stubs.steps(namespace, "patient").values()] == [midway],
        "the run does not get midway",
        seconds=LONG_SECONDS,
    )

    urgent = a_run(
        stubs,
        namespace,
        queue.name,
        *stubs.waiting(namespace, EVERY_TOKENS, "urgent"),
        name="urgent",
    )
    urgent["spec"]["topology"]["queuePriorityClassName"] = queue.name
    namespace.create_run(urgent)
    namespace.wait_condition("urgent", "Training", "Running", seconds=LONG_SECONDS)

    wait_queued(namespace, "patient")
    found = namespace.conditions("patient")
    assert (found["Failed"]["status"], found["Succeeded"]["reason"]) == ("False", "NotFinished")
    (writer,) = stubs.steps(namespace, "patient")
    keys = namespace.keys("patient")
    end = objects.read(namespace.store, keys.end(writer), End)
    assert (end.result, end.tokens) == (Cause.TERMINATED, MIDWAY_TOKENS)

    for run in ("urgent", "patient"):
        stubs.go_on(namespace, run)
        wait_ended(namespace, run)
    before, after = stubs.steps(namespace, "patient").values()
    assert [*before, *after] == [*range(STEP_TOKENS, 2 * EVERY_TOKENS + 1, STEP_TOKENS)]
    attempts = namespace.journal("patient").attempts
    assert not [attempt for attempt in attempts if attempt.counted]
    assert {attempt.cause for attempt in attempts} <= {Cause.DISRUPTED, Cause.COMPLETED}
    assert "AttemptFailed" not in namespace.events("patient")


def test_a_gang_with_much_unsaved_work_gets_more_priority(stubs: StubCluster, queue: Queue) -> None:
    """Kueue 0.14.8 accepts the annotation, and ignores it."""
    namespace = queue.namespace
    waits = stubs.waiting(namespace, MIDWAY_TOKENS + STEP_TOKENS)
    options = ("--telling", "--steps", str(STEPS), *waits)
    namespace.create_run(a_run(stubs, namespace, queue.name, *options))

    def boosts() -> list[Any]:
        found = [*queue.workloads("tiny-train-a1"), *namespace.jobs()]
        return [one["metadata"].get("annotations", {}).get(PRIORITY_BOOST) for one in found]

    wait_for(lambda: boosts() == [str(BOOST)] * 2, "no boost", seconds=LONG_SECONDS)
    stubs.go_on(namespace)
    wait_ended(namespace)


def test_evaluators_go_through_the_queue_that_they_name(
    stubs: StubCluster, stopped_queue: Queue
) -> None:
    namespace = stopped_queue.namespace
    document = stubs.document(namespace)
    document["spec"]["evaluation"]["workload"] |= {
        "queueName": stopped_queue.name,
        "resources": ONE_POD,
    }
    namespace.create_run(document)

    held = namespace.wait_condition("tiny", "Evaluating", "Queued", seconds=LONG_SECONDS)
    wait_for(lambda: len(stopped_queue.workloads()) == 2, "no Workloads for two evaluators")
    assert f"queue {stopped_queue.name}" in held["message"]
    assert not stubs.done(namespace).exists()

    stopped_queue.let_in()
    wait_ended(namespace)
    assert stubs.evaluated(namespace) == CHECKPOINTS
    assert [outcome.tries for outcome in namespace.journal("tiny").evaluations.values()] == [1, 1]


def test_an_unknown_queue_is_named_with_what_to_do(stubs: StubCluster, queue: Queue) -> None:
    namespace = queue.namespace
    namespace.create_run(a_run(stubs, namespace, "nowhere"))

    unknown = namespace.wait_condition(
        "tiny", "Training", "UnknownQueue", seconds=NAMED_WITHIN_SECONDS
    )
    assert "nowhere" in unknown["message"]
    assert "name a LocalQueue of this namespace" in unknown["message"]

    queue.add_local("nowhere")
    wait_ended(namespace)


def test_a_queued_run_that_is_deleted_leaves_no_workload(
    stubs: StubCluster, stopped_queue: Queue
) -> None:
    namespace = stopped_queue.namespace
    namespace.create_run(a_run(stubs, namespace, stopped_queue.name))
    wait_queued(namespace, "tiny")
    (job,) = namespace.jobs()
    wait_for(lambda: stopped_queue.workloads("tiny-train-a1"), "Kueue makes no Workload")

    namespace.delete_run("tiny")

    selector = f"{JOB_UID_LABEL}={job['metadata']['uid']}"
    wait_for(
        lambda: not namespace.api.list(api.KUEUE_WORKLOADS, namespace.name, labelSelector=selector),
        "its Workload is left",
        seconds=LONG_SECONDS,
    )
    wait_for(lambda: not namespace.jobs(), "its Job is left")
    assert stopped_queue.workloads() == []
