"""What a purge takes from the run's trainers, to reach the store as they do. Pure."""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from lccp.api.invocation import StoreConfig
from lccp.api.labels import IMPORTER, TRAINER
from lccp.api.run import LCCPRun
from lccp_operator.kubernetes.api.merge import Object, check_pod, strategic_merge

FOLDER = "file://"
AWS, FILE = "AWS_", "_FILE"
"""How the names of variables begin by which pods get keys, and end if they name a file."""
USER = ("runAsUser", "runAsGroup", "runAsNonRoot")
"""Fields of a container's security context that say as whom it reads and writes files."""
ACCESS = ("serviceAccountName", "automountServiceAccountToken")
NETWORK = ("hostNetwork", "hostAliases", "dnsPolicy", "dnsConfig")
PLACE = ("nodeName", "nodeSelector", "tolerations")
"""Fields of a pod: who it is, where the store's name leads, and on which nodes it may run."""


def as_trainers(run: LCCPRun, store: StoreConfig, container: str) -> Object:
    """For `container`: all by which the run's trainers reach the store, and their user.

    That is their account and, for a folder, the volumes in which they have it, if those are of
    nodes with the nodes; for a bucket, which is reached from any node, their network, AWS's
    variables and the volumes with the files that these name.

    Raises InvalidInput for a template that is none of a pod.
    """
    given = run.spec.topology.pod_template.spec
    check_pod(given, "topology.podTemplate")
    found = (one for one in given.get("containers") or () if one["name"] in (TRAINER, IMPORTER))
    trainer: Object = next(found, {})
    account = _of(given, ACCESS)
    if store.url.startswith(FOLDER):
        folder = [unquote(store.url.removeprefix(FOLDER))]
        mounting = _mounting(given, trainer, folder, container)
        of_nodes = any("hostPath" in volume for volume in mounting["volumes"])
        return account | mounting | (_place(run, given) if of_nodes else {})
    env = [{"name": one.name, "value": one.value} for one in run.spec.topology.env]
    env = [one for one in (*env, *(trainer.get("env") or ())) if one["name"].startswith(AWS)]
    files = [one["value"] for one in env if one["name"].endswith(FILE) and one.get("value")]
    keys = {"name": container, "env": env} | _of(trainer, ("envFrom",))
    mounting = _mounting(given, trainer, files, container) if files else {}
    return strategic_merge({"containers": [keys]}, account | _of(given, NETWORK) | mounting)


def _place(run: LCCPRun, given: Object) -> Object:
    """The nodes on which trainers may run, wherever other pods are."""
    asked = run.spec.topology.placement
    affinity = strategic_merge(asked.affinity.document(), given.get("affinity") or {})
    own = {
        "nodeSelector": asked.node_selector,
        "tolerations": [toleration.document() for toleration in asked.tolerations],
        "affinity": _of(affinity, ("nodeAffinity",)),
    }
    place = strategic_merge(own, _of(given, PLACE))
    return {field: value for field, value in place.items() if value}


def _mounting(given: Object, trainer: Object, paths: list[str], container: str) -> Object:
    """For `container`: the volumes in or below which `trainer` has `paths`, and its user."""
    mounts = [
        mount
        for mount in trainer.get("volumeMounts") or ()
        if any(_meet(PurePosixPath(path), PurePosixPath(mount["mountPath"])) for path in paths)
    ]
    names = {mount.get("name") for mount in mounts}
    volumes = [volume for volume in given.get("volumes") or () if volume["name"] in names]
    own = (trainer.get("securityContext") or {}).items()
    security = {field: value for field, value in own if field in USER}
    return {
        "containers": [{"name": container, "volumeMounts": mounts, "securityContext": security}],
        "volumes": volumes,
    } | _of(given, ("securityContext",))


def _meet(path: PurePosixPath, mount: PurePosixPath) -> bool:
    return path.is_relative_to(mount) or mount.is_relative_to(path)


def _of(document: Object, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: document[field] for field in fields if document.get(field) is not None}
