"""What all workloads have in common: the resources, placement, queue and template of their pods."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from lccp.contract.base import Contract
from lccp.contract.cel import KIND, Rule, rules

QUANTITY_PATTERN = r"^[0-9]{1,15}([.][0-9]{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$"
QUANTITY = 'must be a quantity of a resource: an integer, or text such as "500m" or "64Gi"'
FREE_OBJECT: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


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
        dict[str, Quantity], Field(max_length=16, description="Least amounts, by resource name.")
    ] = {}
    limits: Annotated[
        dict[str, Quantity], Field(max_length=16, description="Most amounts, by resource name.")
    ] = {}


class PlacementSpec(Contract):
    """On which nodes pods may run, as in a pod's spec."""

    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=32, description="Labels that a node must have."),
    ] = {}
    tolerations: Annotated[
        tuple[Annotated[dict[str, Any], Field(json_schema_extra=FREE_OBJECT)], ...],
        Field(max_length=32, description="Taints that pods tolerate, as in a pod's spec."),
    ] = ()
    affinity: Annotated[
        dict[str, Any],
        Field(description="Affinity, as in a pod's spec.", json_schema_extra=FREE_OBJECT),
    ] = {}
    topology_key: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Node label within one value of which the gang should lie, such as a rack.",
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


class WorkloadSpec(Contract):
    """The pods of a workload."""

    resources: Annotated[ResourceSpec, Field(description="Resources of each pod.")] = ResourceSpec()
    accelerator_resource_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Resource of which each process takes one, such as `nvidia.com/gpu`; "
            "none: processes compute on the CPU.",
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
            description="Kueue WorkloadPriorityClass; none: the PriorityClass of the pods counts "
            "in the queue too.",
        ),
    ] = None
    priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="PriorityClass of the pods; that of evaluators is lower than the gang's.",
        ),
    ] = None
    shared_memory: Annotated[
        Quantity, Field(description="Size of /dev/shm; counts to the pod's memory limit.")
    ] = "1Gi"
    env: Annotated[
        tuple[EnvVar, ...],
        Field(max_length=64, description="Environment of the workload's container."),
    ] = ()
    pod_template: Annotated[
        dict[str, Any],
        Field(
            description="PodTemplateSpec that is merged strategically over the operator's own: "
            "volumes, security context, sidecars. The workload's container is named `trainer` or "
            "`evaluator`.",
            json_schema_extra=FREE_OBJECT,
        ),
    ] = {}
