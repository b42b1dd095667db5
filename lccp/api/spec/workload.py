"""Settings common to all workloads: the resources, placement, queue and template of their pods."""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, WithJsonSchema

from lccp.api.labels import STANDARD, is_own
from lccp.contract.base import Contract
from lccp.contract.cel import KIND, Rule, rules

QUANTITY_PATTERN = r"^[0-9]{1,15}([.][0-9]{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$"
QUANTITY = 'must be a resource quantity: an integer, or text such as "500m" or "64Gi"'
EPHEMERAL_STORAGE = "ephemeral-storage"
"""The resource that a pod's scratch volume counts towards."""
FREE_OBJECT: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


UNITS = {"m": Decimal("0.001"), "k": Decimal(10**3)} | {
    suffix: Decimal(size)
    for power, letter in enumerate("KMGTP", start=1)
    for suffix, size in ((f"{letter}i", 2 ** (10 * power)), (letter, 10 ** (3 * power)))
}
"""What the suffixes of quantities stand for."""


def amount(quantity: str) -> int:
    """The integer amount that a resource quantity denotes, rounded down."""
    number = quantity.rstrip("".join(UNITS))
    return int(Decimal(number) * UNITS.get(quantity[len(number) :], Decimal(1)))


def _quantity(value: Any) -> str:
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and re.fullmatch(QUANTITY_PATTERN, text):
        return text
    raise ValueError(f"{QUANTITY}, not {value!r}")


Quantity = Annotated[
    str,
    BeforeValidator(_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 32,
            KIND: "quantity",
            **rules(
                Rule(
                    f"type(self) == int ? self >= 0 : self.matches('{QUANTITY_PATTERN}')", QUANTITY
                )
            ),
        }
    ),
]
"""Amount of a resource, as Kubernetes writes it: `4`, `"500m"`, `64Gi`."""


class ResourceSpec(Contract):
    """Compute resources of one pod, as in a container's `resources`."""

    requests: Annotated[
        dict[str, Quantity], Field(max_length=16, description="Minimum amounts, by resource name.")
    ] = {}
    limits: Annotated[
        dict[str, Quantity], Field(max_length=16, description="Maximum amounts, by resource name.")
    ] = {}


FreeObject = Annotated[dict[str, Any] | None, Field(json_schema_extra=FREE_OBJECT)]
"""Fields that the API server validates when the pods are created."""


class Affinity(Contract):
    """Affinity, as in a pod's spec."""

    node_affinity: Annotated[FreeObject, Field(description="To nodes.")] = None
    pod_affinity: Annotated[FreeObject, Field(description="To pods.")] = None
    pod_anti_affinity: Annotated[FreeObject, Field(description="Away from pods.")] = None


class Toleration(Contract):
    """A taint that pods tolerate, as in a pod's spec."""

    key: Annotated[str | None, Field(max_length=317, description="Its key; none: any.")] = None
    operator: Annotated[
        Literal["Exists", "Equal", "Lt", "Gt"] | None,
        Field(description="How the values compare; by default `Equal`."),
    ] = None
    value: Annotated[str | None, Field(max_length=63, description="Its value.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Its effect; none: any."),
    ] = None
    toleration_seconds: Annotated[
        StrictInt | None,
        Field(ge=0, le=2**31 - 1, description="How many seconds it lasts; none: forever."),
    ] = None


class PlacementSpec(Contract):
    """On which nodes pods may run, as in a pod's spec."""

    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=32, description="Labels that a node must have."),
    ] = {}
    tolerations: Annotated[
        tuple[Toleration, ...],
        Field(max_length=32, description="Taints that pods tolerate, as in a pod's spec."),
    ] = ()
    affinity: Annotated[Affinity, Field(description="Affinity, as in a pod's spec.")] = Affinity()
    topology_key: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Node label, such as a rack, of which all nodes of the gang should have "
            "the same value.",
        ),
    ] = None


class EnvVar(Contract):
    """One environment variable."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=253,
            pattern="^[A-Za-z_][A-Za-z0-9_]*$",
            description="Its name.",
        ),
    ]
    value: Annotated[str, Field(max_length=32_768, description="Its value.")] = ""


HIDDEN = (
    "must not set a label of lccp.io or one that LCCP sets: the run would not find its own pods"
)


def _visible(labels: dict[str, str]) -> dict[str, str]:
    if any(is_own(name) for name in labels):
        raise ValueError(HIDDEN)
    return labels


class PodMetadata(Contract):
    """Metadata of a pod that a run may set."""

    labels: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(
            max_length=64,
            description="Labels, except those that LCCP sets.",
            json_schema_extra=rules(
                Rule(
                    "self.all(name, !name.startsWith('lccp.io/') && "
                    f"!(name in {sorted(STANDARD)}))",
                    HIDDEN,
                )
            ),
        ),
        AfterValidator(_visible),
    ] = {}
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=65_536)]],
        Field(max_length=64, description="Annotations."),
    ] = {}


class PodTemplate(Contract):
    """A PodTemplateSpec, applied as a strategic merge patch to the operator's own."""

    metadata: Annotated[PodMetadata, Field(description="Labels and annotations.")] = PodMetadata()
    spec: Annotated[
        dict[str, Any], Field(description="A pod's spec.", json_schema_extra=FREE_OBJECT)
    ] = {}


class WorkloadSpec(Contract):
    """The pods of a workload."""

    resources: Annotated[ResourceSpec, Field(description="Resources of each pod.")] = ResourceSpec()
    accelerator_resource_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Resource of which each process takes one, such as `nvidia.com/gpu`; none: "
            "processes run on the CPU.",
        ),
    ] = None
    placement: Annotated[PlacementSpec, Field(description="Where the pods run.")] = PlacementSpec()
    queue_name: Annotated[
        str | None,
        Field(max_length=253, description="Kueue LocalQueue that admits the pods; none: no queue."),
    ] = None
    queue_priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Kueue WorkloadPriorityClass; none: the pods' PriorityClass also applies "
            "in the queue.",
        ),
    ] = None
    priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="PriorityClass of the pods; the evaluators' is lower than the gang's.",
        ),
    ] = None
    shared_memory: Annotated[
        Quantity, Field(description="Size of /dev/shm; counts towards the pod's memory limit.")
    ] = "1Gi"
    env: Annotated[
        tuple[EnvVar, ...],
        Field(max_length=64, description="Environment of the workload's container."),
    ] = ()
    pod_template: Annotated[
        PodTemplate,
        Field(
            description="PodTemplateSpec, applied as a strategic merge patch to the operator's "
            "own: volumes, security context, sidecars. The workload's container is named `trainer` "
            "or `evaluator`.",
        ),
    ] = PodTemplate()
