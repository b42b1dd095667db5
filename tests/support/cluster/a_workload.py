"""Workloads of a run, and the objects that are built for them."""

from typing import Any

from a_cluster import run_document

from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
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


def external(*command: str) -> Object:
    """The Job of an external suite, whose program is `./mine`, or this."""
    workload = {"env": [{"name": "SHOTS", "value": "5"}]}
    suite = {
        "name": "mine",
        "image": "mine:1",
        "command": [*command] or ["./mine"],
        "workload": workload,
    }
    return built(Evaluation(8_192, "mine"), a_run(evaluation={"suites": [suite]}))[1]


def container(job: Object) -> Object:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return dict(only)


def environ(job: Object) -> dict[str, Any]:
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in container(job)["env"]}
