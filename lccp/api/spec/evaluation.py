"""`spec.evaluation`: what is measured at every checkpoint."""

from typing import Annotated, Any

from pydantic import Field, StrictBool, StrictInt

from lccp.api.spec.probes import ProbesSpec
from lccp.api.spec.topology import FREE_OBJECT, PlacementSpec, ResourceSpec
from lccp.contract.base import Contract
from lccp.contract.cel import MUTABLE


class EvaluationSpec(Contract):
    """Evaluators: one Job for every checkpoint."""

    probes: Annotated[ProbesSpec, Field(description="What is measured.")] = ProbesSpec()
    baseline: Annotated[
        StrictBool,
        Field(description="Evaluate the base model with the raised RoPE base as checkpoint 0."),
    ] = True
    concurrency: Annotated[
        StrictInt,
        Field(ge=1, le=256, description="Evaluations that run at once.", json_schema_extra=MUTABLE),
    ] = 1
    retries: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=10,
            description="Times that a failed evaluation is tried again.",
            json_schema_extra=MUTABLE,
        ),
    ] = 2
    deadline_seconds: Annotated[
        StrictInt, Field(ge=10, le=604_800, description="Longest time of one try, in seconds.")
    ] = 14_400
    accelerator_resource_name: Annotated[
        str | None,
        Field(max_length=253, description="Resource of which an evaluator takes one; none: CPU."),
    ] = None
    resources: Annotated[ResourceSpec, Field(description="Resources of an evaluator's pod.")] = (
        ResourceSpec()
    )
    image: Annotated[
        str | None,
        Field(max_length=512, description="Evaluator image; default: the installation's."),
    ] = None
    placement: Annotated[PlacementSpec, Field(description="Where evaluators run.")] = (
        PlacementSpec()
    )
    queue_name: Annotated[
        str | None,
        Field(
            max_length=253, description="Kueue LocalQueue that admits evaluators; none: no queue."
        ),
    ] = None
    queue_priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Kueue WorkloadPriorityClass of evaluators; none: the PriorityClass of "
            "their pods counts in the queue too.",
        ),
    ] = None
    priority_class_name: Annotated[
        str | None,
        Field(max_length=253, description="PriorityClass of evaluators; lower than the gang's."),
    ] = None
    pod_template: Annotated[
        dict[str, Any],
        Field(
            description="PodTemplateSpec that is merged strategically over the operator's own. "
            "The evaluator's container is named `evaluator`.",
            json_schema_extra=FREE_OBJECT,
        ),
    ] = {}
