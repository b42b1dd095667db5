"""Pod templates of a run's workloads: hardened, and instructed by environment variables."""

from typing import Any

from lccp.api.invocation import StoreConfig
from lccp.api.labels import FETCH, SUITE
from lccp.api.objects.journal import PodDefaults
from lccp.api.run import LCCPRun
from lccp.api.spec.workload import EPHEMERAL_STORAGE, PlacementSpec
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object, check_pod, strategic_merge
from lccp_operator.kubernetes.workloads.reaching import as_trainers
from lccp_operator.workloads.kind import PodSet

CREDENTIALS_PATH = "/var/run/secrets/lccp.io/store"
SCRATCH_PATH = "/scratch"
EXTERNAL = {
    "LCCP_CHECKPOINT": f"{SCRATCH_PATH}/checkpoint",
    "LCCP_SIGNALS": f"{SCRATCH_PATH}/signals.json",
}
"""Where the containers of an external suite find the checkpoint, and leave their results."""


def pod_store(run: LCCPRun, store: StoreConfig) -> StoreConfig:
    """`store` as the pods of `run` reach it: with the credentials of the run's own Secret."""
    directory = CREDENTIALS_PATH if run.spec.checkpoints.secret_ref else None
    return store.model_copy(update={"credentials_directory": directory})


def pod_template(
    run: LCCPRun,
    defaults: PodDefaults,
    pods: PodSet,
    store: StoreConfig,
    own: dict[str, str],
    rendezvous: str | None,
) -> Object:
    """The PodTemplateSpec of `pods`, with the user's template merged over it.

    Args:
        own: labels of the pods.
        rendezvous: `host:port` of the first pod of several.

    Raises InvalidInput for a template that is none of a pod.
    """
    told = pods.invocation(run, pod_store(run, store)).to_environ()
    told |= EXTERNAL if pods.external is not None else {}
    told |= {"LCCP_RENDEZVOUS": rendezvous} if rendezvous else {}
    spec = _pod_spec(run, defaults, pods, told, own)
    if rendezvous:
        spec["subdomain"] = rendezvous.split(":")[0].partition(".")[2]
    given = pods.spec.pod_template
    check_pod(given.spec)
    if rendezvous:
        _check_names(given.spec)
    patch: Object = {"metadata": given.metadata.document(), "spec": given.spec}
    if pods.as_trainers:
        patch = {"spec": as_trainers(run, store, pods.container)}
    return strategic_merge({"metadata": {"labels": own}, "spec": spec}, patch)


def _check_names(spec: Object) -> None:
    """Raise InvalidInput if a template changes the names by which a gang's pods find each other."""
    for field in ("hostname", "subdomain"):
        if spec.get(field):
            raise InvalidInput(
                f"podTemplate.spec.{field} must be left out where topology.nodes is more than 1: "
                "the pods would not find each other"
            )


def _pod_spec(
    run: LCCPRun, defaults: PodDefaults, pods: PodSet, told: dict[str, str], own: dict[str, str]
) -> Object:
    placement, main = pods.spec.placement, _container(run, defaults, pods, told)
    optional = {
        "priorityClassName": pods.spec.priority_class_name or pods.priority_class_name,
        "nodeSelector": placement.node_selector,
        "tolerations": [toleration.document() for toleration in placement.tolerations],
        "affinity": _affinity(placement, own),
        "imagePullSecrets": [{"name": name} for name in defaults.image_pull_secrets],
        "initContainers": _before(main, pods),
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": defaults.run_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": pods.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [main],
        "volumes": _volumes(run, pods),
    } | {field: value for field, value in optional.items() if value}


def _before(main: Object, pods: PodSet) -> list[Object]:
    """Containers that run before an external suite's report; its program sees no credentials."""
    suite = pods.external
    if suite is None:
        return []
    seen = [mount for mount in main["volumeMounts"] if mount["mountPath"] != CREDENTIALS_PATH]
    own = {"name": SUITE, "image": suite.image, "command": list(suite.command)}
    own |= {"volumeMounts": seen, "terminationMessagePolicy": "FallbackToLogsOnError"}
    return [main | {"name": FETCH, "command": [*pods.command, "fetch"]}, main | own]


def _container(run: LCCPRun, defaults: PodDefaults, pods: PodSet, told: dict[str, str]) -> Object:
    last = ("report",) if pods.external is not None else ()
    return {
        "name": pods.container,
        "image": pods.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": [*pods.command, *last],
        "env": _env(pods, told),
        "resources": _resources(pods),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(run),
    }


def _env(pods: PodSet, told: dict[str, str]) -> list[Object]:
    # A kubelet replaces $(NAME) in values, and reads $$ as $: so values arrive unchanged.
    plain = {name: value.replace("$", "$$") for name, value in told.items()}
    plain |= {"HOME": SCRATCH_PATH, "TMPDIR": SCRATCH_PATH}
    plain |= {variable.name: variable.value for variable in pods.spec.env}
    uid = {"name": "LCCP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    return [
        *({"name": n, "value": v} for n, v in sorted(plain.items()) if n != "LCCP_POD_UID"),
        uid,
    ]


def _resources(pods: PodSet) -> Object:
    given = pods.spec.resources
    requests, limits = dict(given.requests), dict(given.limits)
    if pods.spec.accelerator_resource_name is not None:
        name = pods.spec.accelerator_resource_name
        requests[name] = limits[name] = str(pods.processes)
    return {k: v for k, v in (("requests", requests), ("limits", limits)) if v}


def _volumes(run: LCCPRun, pods: PodSet) -> list[Object]:
    memory = {"medium": "Memory", "sizeLimit": pods.spec.shared_memory}
    limit = pods.spec.resources.limits.get(EPHEMERAL_STORAGE)
    volumes: list[Object] = [
        {"name": "scratch", "emptyDir": {} if limit is None else {"sizeLimit": limit}},
        {"name": "shm", "emptyDir": memory},
    ]
    secret = run.spec.checkpoints.secret_ref
    if secret:
        source = {"secretName": secret.name, "defaultMode": 0o440}
        volumes.append({"name": "store-credentials", "secret": source})
    return volumes


def _mounts(run: LCCPRun) -> list[Object]:
    mounts: list[Object] = [
        {"name": "scratch", "mountPath": SCRATCH_PATH},
        {"name": "shm", "mountPath": "/dev/shm"},
    ]
    if run.spec.checkpoints.secret_ref:
        mounts.append(
            {"name": "store-credentials", "mountPath": CREDENTIALS_PATH, "readOnly": True}
        )
    return mounts


def _affinity(placement: PlacementSpec, labels: dict[str, str]) -> dict[str, Any]:
    """The given affinity, plus a preference for one value of `topologyKey` for the whole gang."""
    given = placement.affinity.document()
    if placement.topology_key is None:
        return given
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": placement.topology_key}
    together = {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": term}
            ]
        }
    }
    return strategic_merge(together, given)
