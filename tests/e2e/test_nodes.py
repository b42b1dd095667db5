"""What happens to nodes, pods and the API server of a real cluster loses no run anything."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace
from breaking import Breaker
from operator_process import wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster, kill_process

from lccp.api import labels
from lccp.api.causes import Cause
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import End, Heartbeat
from lccp.store import objects
from lccp.store.keys import writer_name
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

FIRST, SECOND, LAST = EVERY_TOKENS, 2 * EVERY_TOKENS, 4 * EVERY_TOKENS
CHECKPOINTS = [*range(FIRST, LAST + 1, EVERY_TOKENS)]
LONG_SECONDS = 240.0
GONE_SECONDS = 30.0
HOSTNAME = "kubernetes.io/hostname"
TRAINERS = {labels.COMPONENT: labels.TRAINER}
AT_ONCE = (
    "pod deleted",
    "process killed",
    "out of memory",
    "evaluator deleted",
    "evaluator killed",
)
ONE_BY_ONE = ("node cut off", "node gone", "no API server")

Runs = dict[str, Namespace]


@pytest.fixture(scope="module")
def runs(
    stubs: StubCluster, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """A namespace for each test. Those runs begin that no other test disturbs; a gang waits for
    its test after the first checkpoint."""
    names = (*AT_ONCE, *ONE_BY_ONE)
    folder = tmp_path_factory.mktemp("nodes")
    with stubs.operated(kubeconfig, folder, len(names)) as namespaces:
        made = dict(zip(names, namespaces, strict=True))
        for name in AT_ONCE:
            made[name].create_run(a_run(stubs, made[name], name))
        yield made


def a_run(stubs: StubCluster, namespace: Namespace, name: str) -> Object:
    waits = stubs.waiting(namespace, FIRST)
    match name:
        case "out of memory":
            document = stubs.document(namespace, "--hoard")
            document["spec"]["topology"]["resources"] = {"limits": {"memory": "64Mi"}}
        case "evaluator deleted" | "evaluator killed":
            hangs = ("--hang-at", str(FIRST), "--hang-tries", "1")
            document = stubs.document(namespace, evaluator=hangs)
        case _:
            document = stubs.document(namespace, *waits)
    document["spec"]["training"]["tokens"] = LAST
    return spread(document) if name in ("pod deleted", "process killed") else document


def spread(document: Object) -> Object:
    """The run with a gang of two, on two nodes."""
    term = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": TRAINERS}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    document["spec"]["topology"] |= {"nodes": 2, "placement": {"affinity": apart}}
    return document


def away_from(document: Object, nodes: set[str]) -> Object:
    """The run, whose gang avoids the nodes while it can."""
    rule = {"key": HOSTNAME, "operator": "NotIn", "values": sorted(nodes)}
    wish = {"weight": 100, "preference": {"matchExpressions": [rule]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    if nodes:
        document["spec"]["topology"]["placement"] = {"affinity": affinity}
    return document


def indispensable_nodes(stubs: StubCluster) -> set[str]:
    """Nodes where controllers run that the whole cluster needs."""
    pods = (pod for pod in stubs.api.list(api.PODS) if "nodeName" in pod["spec"])
    return {node_of(pod) for pod in pods if pod["metadata"]["namespace"].endswith("-system")}


def wait_ended(namespace: Namespace) -> None:
    namespace.wait_condition("tiny", "Succeeded", "Completed", seconds=LONG_SECONDS)


def wait_evaluated(stubs: StubCluster, namespace: Namespace) -> None:
    """Until the first checkpoint is evaluated."""
    wait_for(lambda: stubs.done(namespace).exists(), "no evaluation", seconds=LONG_SECONDS)


def attempts(namespace: Namespace) -> list[tuple[Cause | None, bool]]:
    """Cause of each, and whether it was counted."""
    return [(a.cause, a.counted) for a in namespace.journal("tiny").attempts]


def wait_gang(namespace: Namespace, attempt: int, nodes: int = 2) -> list[Object]:
    """Its pods, once all of them run, and have made, or taken up, the first checkpoint."""
    pods = namespace.wait_running(f"tiny-train-a{attempt}", nodes, seconds=LONG_SECONDS)
    key = namespace.keys("tiny").heartbeat(writer_of(pods[0], attempt))

    def there() -> bool:
        beat = objects.read_or_none(namespace.store, key, Heartbeat)
        return beat is not None and beat.tokens == FIRST

    wait_for(there, f"attempt {attempt} does not get to the first checkpoint", seconds=LONG_SECONDS)
    return pods


def saved(namespace: Namespace) -> dict[int, Manifest]:
    """Complete checkpoints, by tokens."""
    keys = namespace.keys("tiny")
    found = namespace.store.list(keys.checkpoints)
    manifests = [info.key for info in found if info.key.endswith("/manifest.json")]
    read = (objects.read(namespace.store, key, Manifest) for key in manifests)
    return {manifest.tokens: manifest for manifest in read}


def delete_by_force(namespace: Namespace, pod: Object) -> None:
    name = pod["metadata"]["name"]
    command = ("kubectl", "delete", "pod", name, f"--namespace={namespace.name}", "--force")
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def node_of(pod: Object) -> str:
    return str(pod["spec"]["nodeName"])


def test_a_pod_deleted_by_force_leads_to_a_new_gang(stubs: StubCluster, runs: Runs) -> None:
    namespace = runs["pod deleted"]
    _, second = wait_gang(namespace, 1)

    delete_by_force(namespace, second)

    wait_gang(namespace, 2)
    assert namespace.pods("tiny-train-a1", "Running") == []
    stubs.go_on(namespace)
    wait_ended(namespace)
    (_, counted), last = attempts(namespace)
    assert (counted, last) == (False, (Cause.COMPLETED, False))
    assert stubs.evaluated(namespace) == CHECKPOINTS


def test_a_killed_trainer_is_counted_and_goes_on_from_the_newest_checkpoint(
    stubs: StubCluster, runs: Runs
) -> None:
    namespace = runs["process killed"]
    first, _ = wait_gang(namespace, 1)

    kill_process(first)

    wait_gang(namespace, 2)
    assert "137" in namespace.journal("tiny").attempts[0].message
    stubs.go_on(namespace)
    wait_ended(namespace)
    assert attempts(namespace) == [(Cause.INTERNAL, True), (Cause.COMPLETED, False)]
    assert [*stubs.steps(namespace).values()] == [CHECKPOINTS[:1], CHECKPOINTS[1:]]


def test_a_trainer_out_of_memory_is_named_and_counted(runs: Runs) -> None:
    namespace = runs["out of memory"]

    failed = namespace.wait_condition("tiny", "Failed", "True", seconds=LONG_SECONDS)

    assert failed["reason"] == "RestartsExhausted"
    assert "ran out of memory" in failed["message"]
    assert "raise the memory in topology.resources" in failed["message"]
    assert attempts(namespace) == [(Cause.OUT_OF_MEMORY, True)] * 2


@pytest.mark.parametrize("name", ["evaluator deleted", "evaluator killed"])
def test_an_evaluator_that_is_gone_is_tried_again(
    stubs: StubCluster, runs: Runs, name: str
) -> None:
    namespace = runs[name]
    (pod,) = namespace.wait_running(f"tiny-eval-intrinsic-{FIRST:015d}", seconds=LONG_SECONDS)

    if name == "evaluator deleted":
        delete_by_force(namespace, pod)
    else:
        kill_process(pod)

    wait_ended(namespace)
    assert stubs.evaluated(namespace) == CHECKPOINTS
    tries = [outcome.tries for outcome in namespace.journal("tiny").evaluations.values()]
    assert tries == [2, 1, 1, 1]
    assert attempts(namespace) == [(Cause.COMPLETED, False)]


def test_a_rank_0_that_is_cut_off_ends_itself_and_computes_nothing_twice(
    stubs: StubCluster, breaker: Breaker, runs: Runs
) -> None:
    """It reaches the store, where it reads that it is to drain."""
    namespace = runs["node cut off"]
    document = a_run(stubs, namespace, "node cut off")
    namespace.create_run(away_from(document, indispensable_nodes(stubs)))
    (old,) = wait_gang(namespace, 1, nodes=1)
    wait_evaluated(stubs, namespace)

    with breaker.cut_off(node_of(old)):
        (new,) = wait_gang(namespace, 2, nodes=1)
        end = namespace.keys("tiny").end(writer_of(old, 1))
        wait_for(lambda: objects.read_or_none(namespace.store, end, End), "it trains on")
        stubs.go_on(namespace)
        wait_ended(namespace)

    assert objects.read(namespace.store, end, End).result is Cause.DRAINED
    assert stubs.steps(namespace) == {
        writer_of(old, 1): CHECKPOINTS[:1],
        writer_of(new, 2): CHECKPOINTS[1:],
    }
    assert {t: m.writer for t, m in saved(namespace).items()} == {
        tokens: writer_of(*((old, 1) if tokens == FIRST else (new, 2))) for tokens in CHECKPOINTS
    }
    assert attempts(namespace) == [(Cause.DISRUPTED, False), (Cause.COMPLETED, False)]
    assert stubs.evaluated(namespace) == CHECKPOINTS


def writer_of(pod: Object, attempt: int) -> str:
    return writer_name(attempt, pod["metadata"]["uid"][:8])


def test_a_gang_moves_as_a_whole_from_a_node_that_is_gone(
    stubs: StubCluster, breaker: Breaker, runs: Runs
) -> None:
    namespace = runs["node gone"]
    namespace.create_run(spread(a_run(stubs, namespace, "node gone")))
    pods = wait_gang(namespace, 1)
    wait_evaluated(stubs, namespace)
    gone = next(iter({node_of(pod) for pod in pods} - indispensable_nodes(stubs)))

    with breaker.without_node(gone):
        moved = wait_gang(namespace, 2)
        assert gone not in {node_of(pod) for pod in moved}
        stubs.go_on(namespace)
        wait_ended(namespace)

    assert attempts(namespace) == [(Cause.DISRUPTED, False), (Cause.COMPLETED, False)]
    assert [*stubs.steps(namespace).values()] == [CHECKPOINTS[:1], CHECKPOINTS[1:]]
    assert stubs.evaluated(namespace) == CHECKPOINTS
    wait_for(lambda: namespace.pods("tiny-train-a1") == [], "pods of the old gang are left")


def test_a_run_goes_on_while_there_is_no_api_server(
    stubs: StubCluster, breaker: Breaker, runs: Runs
) -> None:
    namespace = runs["no API server"]
    document = a_run(stubs, namespace, "no API server")
    document["spec"]["training"]["tokens"] = SECOND
    namespace.create_run(document)
    wait_gang(namespace, 1, nodes=1)
    namespace.wait_condition("tiny", "Training", "Running", seconds=LONG_SECONDS)

    with breaker.without_api():
        stubs.go_on(namespace)
        wait_for(lambda: SECOND in saved(namespace), "the trainer stopped")
        time.sleep(GONE_SECONDS)

    wait_ended(namespace)
    assert attempts(namespace) == [(Cause.COMPLETED, False)]
    assert stubs.evaluated(namespace) == [FIRST, SECOND]
    tries = [outcome.tries for outcome in namespace.journal("tiny").evaluations.values()]
    assert tries == [1, 1]
