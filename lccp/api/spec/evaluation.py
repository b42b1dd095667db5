"""`spec.evaluation`: what is measured at every checkpoint."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt

from lccp.api.labels import INTRINSIC
from lccp.api.spec.probes import ProbesSpec
from lccp.api.spec.workload import WorkloadSpec
from lccp.contract.base import Contract
from lccp.contract.changes import IDENTITY, LIVE


class EvaluationSpec(Contract):
    """Evaluators: one Job for every checkpoint."""

    probes: Annotated[
        ProbesSpec, Field(description="What is measured.", json_schema_extra=IDENTITY)
    ] = ProbesSpec()
    baseline: Annotated[
        StrictBool,
        Field(description="Evaluate the base model with the raised RoPE base as checkpoint 0."),
    ] = True
    concurrency: Annotated[
        StrictInt,
        Field(ge=1, le=256, description="Evaluations that run at once.", json_schema_extra=LIVE),
    ] = 1
    retries: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=10,
            description="Times that a failed evaluation is tried again.",
            json_schema_extra=LIVE,
        ),
    ] = 2
    deadline_seconds: Annotated[
        StrictInt, Field(ge=10, le=604_800, description="Longest time of one try, in seconds.")
    ] = 14_400
    image: Annotated[
        str | None,
        Field(max_length=512, description="Evaluator image; default: the installation's."),
    ] = None
    workload: Annotated[WorkloadSpec, Field(description="Pods of the evaluators.")] = WorkloadSpec()

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites that every checkpoint is evaluated by."""
        return (INTRINSIC,)
