"""Events that an operator died before posting are posted once, by the next operator."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for

from lccp.api.exits import ExitCode
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = pytest.mark.apiserver

TOLD = ["Accepted", "AttemptFailed", "AttemptStarted", "AttemptStarted"]


@pytest.fixture
def operator(server: ApiServer, root: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(tmp_path, server.kubeconfig, installation(root))
    yield process.start().wait_ready()
    process.kill()


def substance(event: Object) -> Object:
    """An event without what the API server gives it."""
    given = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
    kept = {k: v for k, v in event["metadata"].items() if k not in given}
    return event | {"metadata": kept}


@pytest.mark.long
def test_the_next_operator_tells_what_the_last_one_could_not(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess
) -> None:
    namespace.create_run(run_document("tiny"))
    jobs.start("tiny-train-a1")
    namespace.wait_condition("tiny", "Training", "True")
    jobs.end("tiny-train-a1", ExitCode.INTERNAL, 3)
    jobs.start("tiny-train-a2")
    namespace.wait_condition("tiny", "Training", "True")
    wait_for(lambda: sorted(namespace.events("tiny")) == TOLD, "not all was told", operator.log)
    before = {e["reason"]: e for e in namespace.api.list(api.EVENTS, namespace.name)}
    lost = before["AttemptFailed"]

    operator.kill()
    namespace.api.delete(api.EVENTS, namespace.name, lost["metadata"]["name"])
    operator.start().wait_ready()

    wait_for(lambda: "AttemptFailed" in namespace.events("tiny"), "it is lost", operator.log)
    assert sorted(namespace.events("tiny")) == TOLD
    after = {e["reason"]: e for e in namespace.api.list(api.EVENTS, namespace.name)}
    assert substance(after["AttemptFailed"]) == substance(lost)
