"""Whatever blocks a run is named in its conditions, with the remedy."""

from typing import Any

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from operator_process import wait_for
from operator_world import EVERY_TOKENS

from lccp.api.causes import Cause
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = [pytest.mark.apiserver, pytest.mark.long, pytest.mark.usefixtures("operator")]

NAMED_WITHIN_SECONDS = 30.0
TRAINING = "tiny-train-a1"
WAITING = {"name": "trainer", "image": "none:1", "imageID": "", "ready": False, "restartCount": 0}
NO_QUOTA = 'pods "x" is forbidden: exceeded quota: small'
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}


def container(reason: str, message: str, field: str = "containerStatuses") -> Object:
    state = {"waiting": {"reason": reason, "message": message}}
    return {field: [WAITING | {"state": state}]}


def an_event(namespace: Namespace, of: Object, reason: str, message: str) -> None:
    meta = of["metadata"]
    involved = {"uid": meta["uid"], "namespace": namespace.name, "name": meta["name"]}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.1"},
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": "Warning",
    }
    namespace.create_object(api.EVENTS, event)


@pytest.fixture(scope="module")
def stuck(cluster: api.Cluster, root: Any, operator: object) -> dict[str, tuple[Namespace, str]]:
    """Runs that can't go on, each in a namespace of its own, and the reason to be named."""
    pods: dict[str, tuple[str, Object]] = {
        "image": ("ImageUnavailable", container("ErrImagePull", "none:1 not found")),
        "secret in the environment": (
            "MissingSecret",
            container("CreateContainerConfigError", 'secret "s" not found'),
        ),
        "config map in the environment": (
            "MissingConfigMap",
            container("CreateContainerConfigError", 'configmap "c" not found'),
        ),
        "image of an init container": (
            "ImageUnavailable",
            container("ErrImagePull", "none:1 not found", "initContainerStatuses"),
        ),
        "no node": ("Unschedulable", {"conditions": [UNSCHEDULABLE | {"message": "0/3 nodes"}]}),
    }
    events = {
        "quota": ("QuotaExceeded", NO_QUOTA),
        "pod security": ("PodRejected", 'pods "x" is forbidden: violates PodSecurity'),
    }
    made: dict[str, tuple[Namespace, str]] = {}
    for name, (reason, status) in pods.items():
        namespace = made_run(cluster, root)
        JobPlayer(namespace).start(TRAINING, "Pending", **status)
        made[name] = (namespace, reason)
    for name, (reason, message) in events.items():
        namespace = made_run(cluster, root)
        an_event(namespace, namespace.wait_job(TRAINING), "FailedCreate", message)
        made[name] = (namespace, reason)
    mounts = {
        "secret as a volume": ("MissingSecret", 'MountVolume failed: secret "s3" not found'),
        "volume": ("VolumeNotMounted", "mount.nfs: Connection timed out"),
    }
    for name, (reason, message) in mounts.items():
        namespace = made_run(cluster, root)
        (pod,) = JobPlayer(namespace).start(TRAINING, "Pending")
        an_event(namespace, pod, "FailedMount", message)
        made[name] = (namespace, reason)
    misspelled = {"podTemplate": {"spec": {"afinity": {}}}}
    made["field that there is not"] = (made_run(cluster, root, topology=misspelled), "PodRejected")
    return made


def made_run(cluster: api.Cluster, root: Any, **spec: Any) -> Namespace:
    namespace: Namespace = Namespace.create(cluster, root)
    namespace.create_run(run_document("tiny", **spec))
    return namespace


@pytest.mark.parametrize(
    "trouble",
    [
        "image",
        "secret in the environment",
        "config map in the environment",
        "image of an init container",
        "secret as a volume",
        "volume",
        "no node",
        "quota",
        "pod security",
        "field that there is not",
    ],
)
def test_it_is_named_in_time(stuck: dict[str, tuple[Namespace, str]], trouble: str) -> None:
    namespace, reason = stuck[trouble]

    named = namespace.wait_condition("tiny", "Training", reason, seconds=NAMED_WITHIN_SECONDS)

    assert named["status"] == "False"
    assert named["message"].startswith("attempt 1: ")
    assert namespace.run("tiny")["status"]["summary"] == reason


def test_a_field_that_there_is_not_is_named(stuck: dict[str, tuple[Namespace, str]]) -> None:
    namespace, reason = stuck["field that there is not"]

    named = namespace.wait_condition("tiny", "Training", reason, seconds=NAMED_WITHIN_SECONDS)

    assert 'unknown field "spec.template.spec.afinity"' in named["message"]
    assert named["message"].endswith("or change topology")
    assert namespace.jobs() == []


def test_a_gang_that_lacks_a_pod_says_so_in_time(cluster: api.Cluster, root: Any) -> None:
    namespace = made_run(cluster, root, topology={"nodes": 2})
    JobPlayer(namespace).start(TRAINING, number=1)
    an_event(namespace, namespace.wait_job(TRAINING), "FailedCreate", NO_QUOTA)

    named = namespace.wait_condition(
        "tiny", "Training", "QuotaExceeded", seconds=NAMED_WITHIN_SECONDS
    )

    assert named["message"].startswith(f"attempt 1, 1 of 2 pods: {NO_QUOTA}: ")
    assert "topology.queueName with Kueue" in named["message"]


def test_a_volume_that_one_node_does_not_mount_is_told_in_time(
    cluster: api.Cluster, root: Any
) -> None:
    namespace = made_run(cluster, root, topology={"nodes": 2})
    status = container("ContainerCreating", "")
    _, second = JobPlayer(namespace).start(TRAINING, "Pending", **status)
    an_event(namespace, second, "FailedMount", "mount.nfs: Connection timed out")

    named = namespace.wait_condition(
        "tiny", "Training", "VolumeNotMounted", seconds=NAMED_WITHIN_SECONDS
    )

    assert "mount.nfs: Connection timed out" in named["message"]


def test_a_pod_that_its_kubelet_rejects_is_the_cause(cluster: api.Cluster, root: Any) -> None:
    namespace = made_run(cluster, root)
    player = JobPlayer(namespace)
    player.start(TRAINING, "Failed", reason="OutOfcpu", message="Node lacks cpu")

    player.fail(TRAINING)

    namespace.wait_job("tiny-train-a2")
    first = namespace.journal("tiny").attempts[0]
    assert (first.cause, first.counted) == (Cause.NOT_BEGUN, True)
    assert "OutOfcpu: Node lacks cpu" in first.message


def test_an_evaluators_pod_that_its_kubelet_rejects_is_told_in_time(
    cluster: api.Cluster, root: Any
) -> None:
    namespace = made_run(cluster, root)
    player, evaluator = JobPlayer(namespace), f"tiny-eval-intrinsic-{EVERY_TOKENS:015d}"
    player.start(TRAINING)
    namespace.save("tiny", 1, EVERY_TOKENS)
    player.start(evaluator, "Failed", reason="OutOfcpu", message="Node lacks cpu")
    namespace.beat("tiny", 1, EVERY_TOKENS)

    player.fail(evaluator)

    told = namespace.wait_condition("tiny", "Degraded", "Restarting", seconds=NAMED_WITHIN_SECONDS)
    assert told["message"] == (
        f"evaluation of checkpoint {EVERY_TOKENS:,}: failed before its processes began: OutOfcpu: "
        "Node lacks cpu"
    )
    wait_for(lambda: "EvaluationFailed" in namespace.events("tiny"), "there is no event")


def test_what_blocks_a_purge_is_told_in_time_and_its_remedy_releases_the_run(
    cluster: api.Cluster, root: Any
) -> None:
    namespace = made_run(cluster, root, deletionPolicy="DeleteArtifacts")
    player, blocked = JobPlayer(namespace), 'secret "s3" not found: fix that, or set deletionPolicy'
    player.start(TRAINING)
    namespace.wait_condition("tiny", "Training", "True")
    namespace.delete_run("tiny")
    player.let_go(TRAINING)
    (pod,) = player.start("tiny-purge", "Pending", **container("ContainerCreating", ""))
    an_event(namespace, pod, "FailedMount", 'secret "s3" not found')

    def told() -> bool:
        return blocked in namespace.conditions("tiny")["Training"]["message"]

    wait_for(told, "it is not told", seconds=NAMED_WITHIN_SECONDS)
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"spec": {"deletionPolicy": "Retain"}})
    wait_for(lambda: not namespace.api.list(api.RUNS, namespace.name), "the run is still there")
