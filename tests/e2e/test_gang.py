"""Gangs of stub pods on a real cluster: replaced as a whole, drained, and resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace
from operator_process import wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster

from lccp.api.causes import Cause
from lccp_operator.kubernetes import api

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LONG_SECONDS = 120.0


@pytest.fixture
def namespace(stubs: StubCluster, kubeconfig: Path, tmp_path: Path) -> Iterator[Namespace]:
    """A namespace that an operator looks after."""
    with stubs.operated(kubeconfig, tmp_path, 1) as (made,):
        yield made


def running(namespace: Namespace, job: str) -> set[str]:
    """UIDs of the Job's pods that run."""
    return {pod["metadata"]["uid"] for pod in namespace.pods(job, "Running")}


def test_a_deleted_pod_leads_to_a_new_gang(stubs: StubCluster, namespace: Namespace) -> None:
    document = stubs.document(namespace, "--wait-at", "0")
    document["spec"]["topology"]["nodes"] = 2
    namespace.create_run(document)
    _, pod = namespace.wait_running("tiny-train-a1", 2)
    namespace.wait_condition("tiny", "Training", "Running")

    namespace.api.delete(api.PODS, namespace.name, pod["metadata"]["name"])

    namespace.wait_running("tiny-train-a2", 2)
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
