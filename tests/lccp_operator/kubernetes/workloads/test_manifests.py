"""What is built for a run's workloads: the API server takes it, strictly and twice."""

from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace, run_document

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.workloads import jobs
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.training import Training

STORE = StoreConfig(url="s3://bucket/prefix", endpoint="http://s3.example.org:8333")
INSTALLATION = Installation(
    stores=(STORE,),
    trainer_image="localhost/trainer:0",
    evaluator_image="localhost/evaluator:0",
    operator_image="localhost/operator:0",
    image_pull_secrets=("registry",),
    run_service_account="lccp-run",
    evaluator_priority_class="low",
)
PINNED = Pinned(
    trainer_image="localhost/trainer:1",
    evaluator_image="localhost/evaluator:1",
    purger_image="localhost/operator:1",
    templates=INSTALLATION.pod_defaults,
)
RICH: dict[str, Any] = {
    "topology": {
        "nodes": 2,
        "processesPerNode": 4,
        "acceleratorResourceName": "nvidia.com/gpu",
        "resources": {"requests": {"cpu": "8"}, "limits": {"memory": "64Gi"}},
        "placement": {
            "nodeSelector": {"pool": "gpu"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "topologyKey": "topology.kubernetes.io/zone",
        },
        "env": [{"name": "NCCL_DEBUG", "value": "INFO"}],
        "queueName": "research",
        "queuePriorityClassName": "urgent",
        "priorityClassName": "high",
        "terminationGracePeriodSeconds": 300,
        "podTemplate": {
            "metadata": {"annotations": {"example.org/mine": "yes"}},
            "spec": {
                "schedulerName": "volcano",
                "volumes": [{"name": "corpus", "emptyDir": {}}],
                "containers": [
                    {
                        "name": "trainer",
                        "securityContext": {"capabilities": {"add": ["IPC_LOCK"]}},
                        "volumeMounts": [{"name": "corpus", "mountPath": "/corpus"}],
                    }
                ],
            },
        },
    },
    "evaluation": {
        "workload": {"queueName": "research", "acceleratorResourceName": "nvidia.com/gpu"}
    },
}


def a_run(**spec: Any) -> LCCPRun:
    spec = spec | {"checkpoints": {"everyTokens": 8_192, "secretRef": {"name": "s3"}}}
    document = run_document("tiny", **spec)
    document["metadata"] |= {"namespace": "default", "uid": "0" * 8, "generation": 1}
    return LCCPRun.parse(document, "run")


def built(
    workload: Workload, run: LCCPRun | None = None, store: StoreConfig = STORE
) -> tuple[Object | None, Object]:
    """The Service and the Job of a workload."""
    run = run or a_run()
    pods = workload.pods(run, PINNED)
    return jobs.service(run, workload, pods), jobs.job(run, workload, pods, store, PINNED)


WORKLOADS = (Training(1), Evaluation(8_192), Purge())


def gang(**spec: Any) -> Object:
    return built(Training(1), a_run(**spec))[1]


def container(job: Object) -> Object:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environ(job: Object) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container(job)["env"]}


@pytest.mark.apiserver
@pytest.mark.parametrize("spec", [{}, RICH], ids=["plain", "rich"])
def test_the_api_server_takes_every_workload_and_applying_it_again_changes_nothing(
    cluster: Cluster, tmp_path: Path, spec: dict[str, Any]
) -> None:
    namespace = Namespace.create(cluster, tmp_path)
    run = a_run(**spec)
    made = [built(workload, run) for workload in WORKLOADS]
    kinds = [(api.SERVICES, service) for service, _ in made if service]
    kinds += [(api.JOBS, job) for _, job in made]
    for kind, document in kinds:
        document["metadata"]["namespace"] = namespace.name
        strict = f"{kind.path(namespace.name)}?fieldValidation=Strict&dryRun=All"
        cluster._call("POST", strict, document)

        first = cluster.apply(kind, document)
        again = cluster.apply(kind, document)

        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert [m["manager"] for m in first["metadata"]["managedFields"]] == ["lccp-operator"]


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: type(w).__name__)
def test_pods_of_every_kind_meet_the_restricted_standard(workload: Workload) -> None:
    _, job = built(workload)
    pod = job["spec"]["template"]["spec"]
    security = container(job)["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert pod["serviceAccountName"] == "lccp-run"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert not security["allowPrivilegeEscalation"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_gang_meets_by_name_and_fails_as_a_whole() -> None:
    service, job = built(Training(1), a_run(**RICH))
    assert service is not None
    spec = job["spec"]

    assert (spec["completions"], spec["parallelism"]) == (2, 2)
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
    assert {rule["action"] for rule in spec["podFailurePolicy"]["rules"]} == {"FailJob"}
    assert environ(job)["LCCP_RENDEZVOUS"] == "tiny-train-a1-0.tiny-train-a1:29400"
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["publishNotReadyAddresses"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_a_gang_of_one_pod_needs_no_name_to_meet_by() -> None:
    service, job = built(Training(1))

    assert service is None
    assert "LCCP_RENDEZVOUS" not in environ(job)
    assert "subdomain" not in job["spec"]["template"]["spec"]


def test_a_queue_is_named_by_label_and_suspend_is_left_to_it() -> None:
    job = gang(**RICH)

    assert "suspend" not in job["spec"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "urgent"
    assert job["spec"]["template"]["spec"]["priorityClassName"] == "high"
    assert "kueue.x-k8s.io/queue-name" not in gang()["metadata"]["labels"]


def test_a_queue_goes_by_the_pods_priority_unless_another_is_named() -> None:
    job = gang(topology={"queueName": "research", "priorityClassName": "high"})

    assert "kueue.x-k8s.io/priority-class" not in job["metadata"]["labels"]


def test_the_users_template_is_merged_over_the_pods() -> None:
    job = gang(**RICH)
    pod = job["spec"]["template"]["spec"]

    assert pod["schedulerName"] == "volcano"
    assert job["spec"]["template"]["metadata"]["annotations"] == {"example.org/mine": "yes"}
    assert {v["name"] for v in pod["volumes"]} == {"scratch", "shm", "store-credentials", "corpus"}
    capabilities = container(job)["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert container(job)["resources"]["limits"] == {"memory": "64Gi", "nvidia.com/gpu": "4"}


def test_credentials_reach_pods_as_a_mounted_secret_alone() -> None:
    job = gang()
    (mount,) = [m for m in container(job)["volumeMounts"] if m["name"] == "store-credentials"]

    assert mount["readOnly"]
    assert f'"credentialsDirectory":"{mount["mountPath"]}"' in environ(job)["LCCP_STORE"]


def test_every_workload_trusts_the_stores_ca() -> None:
    store = STORE.model_copy(update={"ca_bundle": "-----BEGIN CERTIFICATE-----\n"})
    for workload in WORKLOADS:
        _, job = built(workload, store=store)
        variables = {name: v for name, v in environ(job).items() if isinstance(v, str)}
        assert Invocation.from_environ(variables).store.ca_bundle == store.ca_bundle


def test_an_evaluator_has_a_deadline_and_a_lower_priority() -> None:
    _, job = built(Evaluation(8_192, number=2))

    assert job["metadata"]["name"] == "tiny-eval-intrinsic-000000000008192"
    assert job["spec"]["activeDeadlineSeconds"] > 0
    assert job["spec"]["template"]["spec"]["priorityClassName"] == "low"
    assert (environ(job)["LCCP_TOKENS"], environ(job)["LCCP_ATTEMPT"]) == ("8192", "2")
