"""Pod templates of a run's workloads: hardened, and told what to do by environment variables."""

from dataclasses import dataclass, field
from typing import Any

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import PodDefaults
from lccp.api.run import LCCPRun
from lccp.api.spec.topology import EnvVar, PlacementSpec, ResourceSpec
from lccp_operator.kubernetes.api.merge import Object, strategic_merge

CREDENTIALS_PATH = "/var/run/secrets/lccp.io/store"
SCRATCH_PATH = "/scratch"


@dataclass(frozen=True)
class PodRequest:
    """What differs between the pods of trainers, evaluators and purges."""

    container: str
    image: str
    command: tuple[str, ...]
    labels: dict[str, str]
    env: dict[str, str]
    resources: ResourceSpec = field(default_factory=ResourceSpec)
    accelerators: tuple[str, int] | None = None
    placement: PlacementSpec = field(default_factory=PlacementSpec)
    extra_env: tuple[EnvVar, ...] = ()
    priority_class_name: str | None = None
    shared_memory: str | None = None
    grace_seconds: int = 30
    subdomain: str | None = None


def pod_store(run: LCCPRun, store: StoreConfig) -> StoreConfig:
    """`store` as the pods of `run` reach it: with the credentials of the run's own Secret."""
    directory = CREDENTIALS_PATH if run.spec.checkpoints.secret_ref else None
    return store.model_copy(update={"credentials_directory": directory})


def invocation(
    run: LCCPRun, store: StoreConfig, attempt: int, tokens: int | None = None
) -> Invocation:
    """What a pod of `run` is told; its own UID comes from the downward API."""
    asked = run.model_copy(update={"status": None})
    return Invocation(run=asked, store=pod_store(run, store), attempt=attempt, tokens=tokens)


def pod_template(run: LCCPRun, defaults: PodDefaults, request: PodRequest, patch: Object) -> Object:
    """The PodTemplateSpec of `request`, with the user's `patch` merged over it."""
    template = {
        "metadata": {"labels": request.labels},
        "spec": _pod_spec(run, defaults, request),
    }
    return strategic_merge(template, patch)


def _pod_spec(run: LCCPRun, defaults: PodDefaults, request: PodRequest) -> Object:
    placement = request.placement
    optional = {
        "subdomain": request.subdomain,
        "priorityClassName": request.priority_class_name,
        "nodeSelector": placement.node_selector,
        "tolerations": list(placement.tolerations),
        "affinity": _affinity(placement, request.labels),
        "imagePullSecrets": [{"name": name} for name in defaults.image_pull_secrets],
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": defaults.run_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": request.grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(run, defaults, request)],
        "volumes": _volumes(run, request),
    } | {field: value for field, value in optional.items() if value}


def _container(run: LCCPRun, defaults: PodDefaults, request: PodRequest) -> Object:
    return {
        "name": request.container,
        "image": request.image,
        "imagePullPolicy": defaults.image_pull_policy,
        "command": list(request.command),
        "env": _env(request),
        "resources": _resources(request),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": _mounts(run, request),
    }


def _env(request: PodRequest) -> list[Object]:
    plain = request.env | {"HOME": SCRATCH_PATH, "TMPDIR": SCRATCH_PATH}
    plain |= {variable.name: variable.value for variable in request.extra_env}
    uid = {"name": "LCCP_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}
    return [
        *({"name": n, "value": v} for n, v in sorted(plain.items()) if n != "LCCP_POD_UID"),
        uid,
    ]


def _resources(request: PodRequest) -> Object:
    requests, limits = dict(request.resources.requests), dict(request.resources.limits)
    if request.accelerators is not None:
        name, count = request.accelerators
        requests[name] = limits[name] = str(count)
    return {k: v for k, v in (("requests", requests), ("limits", limits)) if v}


def _volumes(run: LCCPRun, request: PodRequest) -> list[Object]:
    volumes: list[Object] = [{"name": "scratch", "emptyDir": {}}]
    if request.shared_memory:
        memory = {"medium": "Memory", "sizeLimit": request.shared_memory}
        volumes.append({"name": "shm", "emptyDir": memory})
    secret = run.spec.checkpoints.secret_ref
    if secret:
        source = {"secretName": secret.name, "defaultMode": 0o440}
        volumes.append({"name": "store-credentials", "secret": source})
    return volumes


def _mounts(run: LCCPRun, request: PodRequest) -> list[Object]:
    mounts: list[Object] = [{"name": "scratch", "mountPath": SCRATCH_PATH}]
    if request.shared_memory:
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    if run.spec.checkpoints.secret_ref:
        mounts.append(
            {"name": "store-credentials", "mountPath": CREDENTIALS_PATH, "readOnly": True}
        )
    return mounts


def _affinity(placement: PlacementSpec, labels: dict[str, str]) -> dict[str, Any]:
    """The given affinity, with the wish that the gang lie within one value of `topologyKey`."""
    if placement.topology_key is None:
        return placement.affinity
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": placement.topology_key}
    together = {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": term}
            ]
        }
    }
    return strategic_merge(together, placement.affinity)
