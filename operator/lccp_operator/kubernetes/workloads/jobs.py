"""Jobs and Services of a run, as objects for server-side apply. Pure."""

from lccp.api import labels
from lccp.api.exits import ExitCode
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.run import LCCPRun
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.workloads.pods import PodRequest, invocation, pod_template
from lccp_operator.workloads import Evaluation

RENDEZVOUS_PORT = 29400
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
PRIORITY_LABEL = "kueue.x-k8s.io/priority-class"

TRY_LABEL = f"{labels.GROUP}/try"


def training_service(run: LCCPRun, attempt: int) -> Object | None:
    """The headless Service by which the gang's pods find each other, also before they are ready.

    None for a gang of one pod.
    """
    if run.spec.topology.nodes == 1:
        return None
    name = labels.training_name(run.metadata.name, attempt)
    own = labels.of_workload(run.metadata.name, labels.TRAINER, attempt=str(attempt))
    spec = {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": own,
        "ports": [{"name": "rendezvous", "port": RENDEZVOUS_PORT}],
    }
    return _object(run, "v1", "Service", name, own, spec)


def training_job(run: LCCPRun, attempt: int, store: StoreConfig, pinned: Pinned) -> Object:
    """The gang of one attempt: an Indexed Job that fails as a whole."""
    topology = run.spec.topology
    name = labels.training_name(run.metadata.name, attempt)
    own = labels.of_workload(run.metadata.name, labels.TRAINER, attempt=str(attempt))
    request, defaults = _trainer(run, attempt, store, pinned, own), _defaults(pinned)
    spec = {
        "completionMode": "Indexed",
        "completions": topology.nodes,
        "parallelism": topology.nodes,
        "backoffLimit": 0,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": failure_rules("trainer")},
        "template": pod_template(run, defaults, request, topology.pod_template),
    }
    return _object(
        run,
        "batch/v1",
        "Job",
        name,
        own | _queue(topology.queue_name, topology.queue_priority_class_name),
        spec,
    )


def _trainer(
    run: LCCPRun, attempt: int, store: StoreConfig, pinned: Pinned, own: dict[str, str]
) -> PodRequest:
    topology = run.spec.topology
    name, alone = labels.training_name(run.metadata.name, attempt), topology.nodes == 1
    rendezvous = {} if alone else {"LCCP_RENDEZVOUS": f"{name}-0.{name}:{RENDEZVOUS_PORT}"}
    accelerator = topology.accelerator_resource_name
    return PodRequest(
        container="trainer",
        image=pinned.trainer_image,
        command=("lccp-train",),
        labels=own,
        env=invocation(run, store, attempt).to_environ() | rendezvous,
        resources=topology.resources,
        accelerators=(accelerator, topology.processes_per_node) if accelerator else None,
        placement=topology.placement,
        extra_env=topology.env,
        priority_class_name=topology.priority_class_name,
        shared_memory=topology.shared_memory,
        grace_seconds=topology.termination_grace_period_seconds,
        subdomain=None if alone else name,
    )


def evaluation_job(
    run: LCCPRun, evaluation: Evaluation, store: StoreConfig, pinned: Pinned
) -> Object:
    """One try of the evaluation of one checkpoint."""
    wanted, tokens, defaults = run.spec.evaluation, evaluation.tokens, _defaults(pinned)
    name = labels.evaluation_name(run.metadata.name, tokens)
    facts = {"tokens": labels.tokens_key(tokens), "try": str(evaluation.number)}
    own = labels.of_workload(run.metadata.name, labels.EVALUATOR, **facts)
    request = PodRequest(
        container="evaluator",
        image=pinned.evaluator_image,
        command=("lccp-evaluate",),
        labels=own,
        env=invocation(run, store, evaluation.number, tokens).to_environ(),
        resources=wanted.resources,
        accelerators=(wanted.accelerator_resource_name, 1)
        if wanted.accelerator_resource_name
        else None,
        placement=wanted.placement,
        priority_class_name=wanted.priority_class_name or defaults.evaluator_priority_class,
        shared_memory="1Gi",
    )
    spec = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": wanted.deadline_seconds,
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {"rules": failure_rules("evaluator")},
        "template": pod_template(run, defaults, request, wanted.pod_template),
    }
    queue = _queue(wanted.queue_name, wanted.queue_priority_class_name)
    return _object(run, "batch/v1", "Job", name, own | queue, spec)


def purge_job(run: LCCPRun, installation: Installation, store: StoreConfig) -> Object:
    """The deletion of the run's objects in the store: by this version, so as it is installed."""
    own = labels.of_workload(run.metadata.name, labels.PURGER)
    request = PodRequest(
        container="purger",
        image=installation.operator_image,
        command=("python3", "-m", "lccp_operator.purge"),
        labels=own,
        env=invocation(run, store, 1).to_environ(),
    )
    spec = {"backoffLimit": 3, "template": pod_template(run, installation, request, {})}
    return _object(run, "batch/v1", "Job", labels.purge_name(run.metadata.name), own, spec)


def failure_rules(container: str) -> list[Object]:
    """FailJob alone, in a fixed order: disruption, configuration, not finite, the rest."""

    def exits(operator: str, code: ExitCode) -> Object:
        codes = {"containerName": container, "operator": operator, "values": [int(code)]}
        return {"action": "FailJob", "onExitCodes": codes}

    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    return [
        {"action": "FailJob", "onPodConditions": disrupted},
        exits("In", ExitCode.CONFIGURATION),
        exits("In", ExitCode.NOT_FINITE),
        exits("NotIn", ExitCode.OK),
    ]


def owner_reference(run: LCCPRun) -> Object:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "name": run.metadata.name,
        "uid": run.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _defaults(pinned: Pinned) -> PodDefaults:
    return pinned.templates or PodDefaults()


def _queue(queue: str | None, priority: str | None) -> dict[str, str]:
    given = {QUEUE_LABEL: queue, PRIORITY_LABEL: priority if queue else None}
    return {name: value for name, value in given.items() if value}


def _object(
    run: LCCPRun, api_version: str, kind: str, name: str, own: dict[str, str], spec: Object
) -> Object:
    metadata = {
        "name": name,
        "namespace": run.metadata.namespace,
        "labels": own,
        "ownerReferences": [owner_reference(run)],
    }
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
