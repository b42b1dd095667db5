"""A run that is deleted in any state leaves nothing behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from operator_process import OperatorProcess, installation, wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster

from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LONG_SECONDS = 90.0
STUCK = ("--wait-at", "0")
STATES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, str]]] = {
    "training": (STUCK, (), ("Training", "Running")),
    "evaluating": ((), ("--hang-at", str(EVERY_TOKENS)), ("Evaluating", "True")),
    "succeeded": ((), (), ("Succeeded", "True")),
    "failed": (("--fail", "9:64"), (), ("Failed", "True")),
}
POLICIES: dict[str, Object] = {
    "kept": {},
    "purged in vain": {"deletionPolicy": "DeleteArtifacts", "purgeTimeoutSeconds": 3},
}


@pytest.fixture(scope="module")
def runs(
    stubs: StubCluster, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Namespace]]:
    """A run in every state with every policy, each in a namespace of its own."""
    made = {(state, policy): stubs.namespace() for state in STATES for policy in POLICIES}
    folder = tmp_path_factory.mktemp("deletion")
    settings = installation(stubs.root, namespaces=[n.name for n in made.values()])
    operator = OperatorProcess(folder, kubeconfig, settings).start()
    for (state, policy), namespace in made.items():
        trainer, evaluator, _ = STATES[state]
        spec: Any = POLICIES[policy]
        namespace.create_run(stubs.document(namespace, *trainer, evaluator=evaluator, **spec))
    yield made
    operator.kill()
    for namespace in made.values():
        namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")


def left(namespace: Namespace) -> list[str]:
    kinds = (api.RUNS, api.JOBS, api.SERVICES, api.PODS)
    found = (document for kind in kinds for document in namespace.api.list(kind, namespace.name))
    return [document["metadata"]["name"] for document in found]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("state", STATES)
def test_nothing_is_left(runs: dict[tuple[str, str], Namespace], state: str, policy: str) -> None:
    namespace = runs[state, policy]
    namespace.wait_condition("tiny", *STATES[state][2], seconds=LONG_SECONDS)

    namespace.delete_run("tiny")

    wait_for(lambda: not left(namespace), "something is left", seconds=LONG_SECONDS)
