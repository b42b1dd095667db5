"""What is kept in memory of an object that belongs to a run. Pure."""

from lccp.api import labels
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.asked import changed_since
from lccp_operator.kubernetes.workloads.seen import CHANGES, RunKey

KEPT_METADATA = (
    "name",
    "namespace",
    "uid",
    "labels",
    "ownerReferences",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
)
KEPT_SPEC = ("completions", "parallelism", "suspend", "schedulerName", "nodeName", "selector")
KEPT_STATUS = (
    "phase",
    "conditions",
    "reason",
    "message",
    "initContainerStatuses",
    "containerStatuses",
    "startTime",
    "active",
)


def key_of(document: Object) -> RunKey:
    """The run that its label names."""
    meta = document["metadata"]
    return RunKey(meta["namespace"], meta["labels"][labels.RUN])


def version_of(document: Object) -> int:
    """The version of the API server at which it was written."""
    return int(document["metadata"]["resourceVersion"])


def kept(document: Object) -> Object:
    """The parts that the plan needs, and how a Job differs from what was asked of it.

    No template, no managed fields, no foreign annotations.
    """
    meta, spec, status = document["metadata"], document.get("spec", {}), document.get("status", {})
    told = meta.get("annotations", {}).items()
    own = {name: text for name, text in told if name.startswith(f"{labels.GROUP}/")}
    changes = changed_since(document)
    own.pop(labels.REQUESTED, None)
    names = (*KEPT_METADATA, *(["finalizers"] if "deletionTimestamp" in meta else []))
    return {
        "metadata": {name: meta[name] for name in names if name in meta}
        | ({"annotations": own} if own else {}),
        "spec": {name: spec[name] for name in KEPT_SPEC if name in spec},
        "status": {name: status[name] for name in KEPT_STATUS if name in status},
    } | ({CHANGES: changes} if changes else {})


def same(one: Object, other: Object) -> bool:
    """They differ only in their version."""
    version = one["metadata"]["resourceVersion"]
    return one == other | {"metadata": other["metadata"] | {"resourceVersion": version}}
