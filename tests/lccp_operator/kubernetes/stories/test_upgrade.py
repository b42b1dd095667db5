"""An upgrade of the installation in mid-run: runs in progress keep their original settings."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from operator_process import OperatorProcess, installation
from operator_world import EVERY_TOKENS

from lccp.api.exits import ExitCode
from lccp_operator.kubernetes.api.merge import Object

pytestmark = [pytest.mark.apiserver, pytest.mark.long]

FIRST, SECOND = EVERY_TOKENS, 2 * EVERY_TOKENS
BEFORE: dict[str, Any] = {
    "trainerImage": "localhost/trainer:1",
    "evaluatorImage": "localhost/evaluator:1",
    "imagePullPolicy": "IfNotPresent",
    "imagePullSecrets": ["registry"],
    "runServiceAccount": "default",
    "evaluatorPriorityClass": None,
}
AFTER: dict[str, Any] = {
    "trainerImage": "localhost/trainer:2",
    "evaluatorImage": "localhost/evaluator:2",
    "imagePullPolicy": "Always",
    "imagePullSecrets": ["informer"],
    "runServiceAccount": "lccp-run",
    "evaluatorPriorityClass": "system-node-critical",
}


@pytest.fixture
def operator(server: ApiServer, root: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(tmp_path, server.kubeconfig, installation(root, **BEFORE))
    yield process.start().wait_ready()
    process.kill()


def upgrade(operator: OperatorProcess, root: Path) -> None:
    """As a new version of the chart does it: the operator starts again with other values."""
    operator.stop()
    operator.installation = installation(root, **AFTER)
    operator.start().wait_ready()


def given(job: Object) -> dict[str, Any]:
    """What the Job's pods have of the installation, by the names of its file."""
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return {
        f"{container['name']}Image": container["image"],
        "imagePullPolicy": container["imagePullPolicy"],
        "imagePullSecrets": [secret["name"] for secret in pod["imagePullSecrets"]],
        "runServiceAccount": pod["serviceAccountName"],
        "evaluatorPriorityClass": pod.get("priorityClassName"),
    }


def trainer_of(values: dict[str, Any]) -> dict[str, Any]:
    given = {k: v for k, v in values.items() if k != "evaluatorImage"}
    return given | {"evaluatorPriorityClass": None}


def evaluator_of(values: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k != "trainerImage"}


def evaluation(tokens: int) -> str:
    return f"tiny-eval-intrinsic-{tokens:015d}"


def environment(job: Object) -> list[Object]:
    """The environment of the Job's container but for the checkpoint that it is about."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return [variable for variable in container["env"] if variable["name"] != "LCCP_TOKENS"]


def evaluated(namespace: Namespace, jobs: JobPlayer, tokens: int) -> Object:
    """The Job that evaluated the checkpoint at `tokens`."""
    namespace.save("tiny", 1, tokens)
    job = namespace.wait_job(evaluation(tokens))
    jobs.start(evaluation(tokens))
    namespace.report("tiny", tokens)
    jobs.end(evaluation(tokens))
    jobs.let_go(evaluation(tokens))
    return job


def test_started_runs_keep_what_they_were_started_with_and_new_ones_get_the_new(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess, root: Path
) -> None:
    env = [{"name": "NCCL_DEBUG", "value": "INFO"}]
    resources = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    namespace.create_run(
        run_document("tiny", length=3, topology={"env": env, "resources": resources})
    )
    jobs.start("tiny-train-a1")
    first = evaluated(namespace, jobs, FIRST)
    gang = namespace.wait_job("tiny-train-a1")

    upgrade(operator, root)
    second = evaluated(namespace, jobs, SECOND)
    untouched = namespace.wait_job("tiny-train-a1")
    jobs.end("tiny-train-a1", ExitCode.INTERNAL, 3)
    next_gang = namespace.wait_job("tiny-train-a2")
    namespace.create_run(run_document("fresh"))
    fresh = namespace.wait_job("fresh-train-a1")

    assert given(first) == given(second) == evaluator_of(BEFORE)
    assert environment(first) == environment(second)
    assert untouched["metadata"]["uid"] == gang["metadata"]["uid"]
    assert untouched["spec"] == gang["spec"]
    assert untouched["metadata"]["generation"] == gang["metadata"]["generation"]
    assert given(gang) == given(next_gang) == trainer_of(BEFORE)
    assert given(fresh) == trainer_of(AFTER)
    answers = operator.get("/metrics")[1]
    assert 'verb="POST"' in answers
    assert 'status="422"' not in answers
