"""Gangs of stub pods on a real cluster: replaced as a whole, drained, and resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace
from operator_process import OperatorProcess, installation, wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster

from lccp.api.objects.journal import Cause
from lccp_operator.kubernetes import cluster as api

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LONG_SECONDS = 120.0


@pytest.fixture
def namespace(stubs: StubCluster, kubeconfig: Path, tmp_path: Path) -> Iterator[Namespace]:
    """A namespace that an operator looks after."""
    made = stubs.namespace()
    settings = installation(stubs.root, namespaces=[made.name])
    operator = OperatorProcess(tmp_path, kubeconfig, settings).start()
    yield made
    operator.kill()
    made.api._call("DELETE", f"/api/v1/namespaces/{made.name}")


def running(namespace: Namespace, job: str) -> set[str]:
    """UIDs of the Job's pods that run."""
    selector = f"batch.kubernetes.io/job-name={job}"
    pods = namespace.api.list(api.PODS, namespace.name, labelSelector=selector)
    return {p["metadata"]["uid"] for p in pods if p["status"].get("phase") == "Running"}


def test_a_deleted_pod_leads_to_a_new_gang(stubs: StubCluster, namespace: Namespace) -> None:
    document = stubs.document(namespace, "--wait-at", "0")
    document["spec"]["topology"]["nodes"] = 2
    namespace.create_run(document)
    wait_for(lambda: len(running(namespace, "tiny-train-a1")) == 2, "no gang", seconds=LONG_SECONDS)
    namespace.wait_condition("tiny", "Training", "Running")
    selector = "batch.kubernetes.io/job-completion-index=1"
    (pod,) = namespace.api.list(api.PODS, namespace.name, labelSelector=selector)

    namespace.api.delete(api.PODS, namespace.name, pod["metadata"]["name"])

    wait_for(
        lambda: len(running(namespace, "tiny-train-a2")) == 2, "no new gang", seconds=LONG_SECONDS
    )
    assert running(namespace, "tiny-train-a1") == set()
    assert [a.ended_at is None for a in namespace.journal("tiny").attempts] == [False, True]


def test_a_suspended_run_drains_and_goes_on_where_it_was(
    stubs: StubCluster, namespace: Namespace
) -> None:
    namespace.create_run(stubs.document(namespace, "--wait-at", str(EVERY_TOKENS)))
    wait_for(lambda: saved(namespace) == [EVERY_TOKENS], "nothing saved", seconds=LONG_SECONDS)
    namespace.wait_condition("tiny", "Training", "Running")

    suspend(namespace, True)
    namespace.wait_condition("tiny", "Suspended", "True", seconds=LONG_SECONDS)
    assert running(namespace, "tiny-train-a1") == set()

    suspend(namespace, False)
    wait_for(lambda: running(namespace, "tiny-train-a2"), "no attempt", seconds=LONG_SECONDS)
    first, second = namespace.journal("tiny").attempts
    assert (first.cause, first.counted, second.ended_at) == (Cause.DRAINED, False, None)
    assert saved(namespace) == [EVERY_TOKENS]


def saved(namespace: Namespace) -> list[int]:
    found = namespace.store.list(namespace.keys("tiny").checkpoints)
    return [int(info.key.split("/")[-2]) for info in found if info.key.endswith("manifest.json")]


def suspend(namespace: Namespace, suspended: bool) -> None:
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"spec": {"suspend": suspended}})
