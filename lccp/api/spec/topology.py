"""`spec.topology`: where the training gang runs."""

from typing import Annotated

from pydantic import Field, StrictInt

from lccp.api.spec.workload import WorkloadSpec
from lccp.contract.changes import LIVE


class TopologySpec(WorkloadSpec):
    """The training gang: `nodes` pods with `processesPerNode` processes each."""

    nodes: Annotated[
        StrictInt, Field(ge=1, le=4_096, description="Pods of the gang, one per node.")
    ] = 1
    processes_per_node: Annotated[
        StrictInt,
        Field(ge=1, le=64, description="Processes per pod; with accelerators, one for each."),
    ] = 1
    image: Annotated[
        str | None,
        Field(max_length=512, description="Trainer image; default: the installation's."),
    ] = None
    gang_timeout_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=30,
            le=604_800,
            description="How long some pods of a gang may run while others have not started, in "
            "seconds. Then they are deleted, and the attempt, which is not counted, is repeated "
            "after a wait. None: up to the trainer's own limit.",
            json_schema_extra=LIVE,
        ),
    ] = None
    termination_grace_period_seconds: Annotated[
        StrictInt,
        Field(
            ge=10,
            le=86_400,
            description="Time that a pod has to save its state on SIGTERM, in seconds.",
        ),
    ] = 120
