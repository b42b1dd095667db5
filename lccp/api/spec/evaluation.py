"""`spec.evaluation`: what is measured at every checkpoint."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, model_validator

from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.spec.probes import ProbesSpec
from lccp.api.spec.workload import WorkloadSpec
from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, rules
from lccp.contract.changes import IDENTITY, LIVE
from lccp.contract.signals import PART_PATTERN

SUITE_NAME_LENGTH_MAX = 30
PROBES_SUITES = [INTRINSIC, ANNEAL]
RESERVED = (
    "a suite must not be named intrinsic or anneal: these are the probes' suites for checkpoints "
    "and branches"
)
SUITES_ALIKE = "two suites of evaluation.suites have the same name: give each its own"

PartName = Annotated[
    str,
    Field(min_length=1, max_length=32, pattern=PART_PATTERN),
]
"""A signal's name within its suite: the part after the slash in `SignalName`."""


class ExternalSuite(Contract):
    """An evaluation by your own program, which reads a checkpoint and writes signals."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=SUITE_NAME_LENGTH_MAX,
            pattern="^[a-z]([-a-z0-9]*[a-z0-9])?$",
            description="Name; its signals are `<name, _ for ->/<signal>`.",
            json_schema_extra=rules(Rule(f"!(self in {PROBES_SUITES})", RESERVED)),
        ),
    ]
    image: Annotated[
        str | None,
        Field(max_length=512, description="Image of the program; default: the evaluator's."),
    ] = None
    command: Annotated[
        tuple[Annotated[str, Field(max_length=4_096)], ...],
        Field(
            min_length=1,
            max_length=64,
            description="Program and arguments; `$(LCCP_CHECKPOINT)` and `$(LCCP_SIGNALS)` stand "
            "for the checkpoint's directory and the file to write.",
        ),
    ]
    signals: Annotated[
        tuple[PartName, ...],
        Field(
            max_length=32,
            description="Signals that the program must write, as named in its file; it may write "
            "more.",
        ),
    ] = ()
    every_checkpoints: Annotated[
        StrictInt,
        Field(ge=1, le=1_000, description="It evaluates every n-th checkpoint, from the first."),
    ] = 1
    deadline_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=10,
            le=604_800,
            description="Time limit of one try, in seconds; default: that of `evaluation`.",
        ),
    ] = None
    workload: Annotated[
        WorkloadSpec,
        Field(
            description="Its pods: first the init containers `fetch-checkpoint` and "
            "`external-suite` (the program), then `evaluator`."
        ),
    ] = WorkloadSpec()

    @model_validator(mode="after")
    def _is_no_other_suite(self) -> "ExternalSuite":
        if self.name in PROBES_SUITES:
            raise ValueError(RESERVED)
        return self

    @property
    def prefix(self) -> str:
        """The prefix of its signals' names."""
        return f"{self.name.replace('-', '_')}/"


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
            description="How often a failed evaluation is retried.",
            json_schema_extra=LIVE,
        ),
    ] = 2
    processes: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="Processes of one evaluation by the probes, all in its pod. They share the "
            "haystacks; each takes one accelerator, if `workload` names one.",
        ),
    ] = 1
    shards: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="Number of these processes whose accelerators share one model. Each has "
            "a part of the width of every expert or, if there are none, of the layers, which one "
            "process then computes. 1: as few as fit.",
            json_schema_extra=IDENTITY,
        ),
    ] = 1
    deadline_seconds: Annotated[
        StrictInt, Field(ge=10, le=604_800, description="Time limit of one try, in seconds.")
    ] = 14_400
    image: Annotated[
        str | None,
        Field(max_length=512, description="Evaluator image; default: the installation's."),
    ] = None
    workload: Annotated[WorkloadSpec, Field(description="Pods of the evaluators.")] = WorkloadSpec()

    suites: Annotated[
        tuple[ExternalSuite, ...],
        Field(
            max_length=8,
            description="Evaluations by your own programs, in addition to the probes.",
            json_schema_extra=rules(Rule(distinct("self.map(suite, suite.name)"), SUITES_ALIKE)),
        ),
    ] = ()

    @model_validator(mode="after")
    def _suites_differ(self) -> "EvaluationSpec":
        if len({suite.name for suite in self.suites}) < len(self.suites):
            raise ValueError(SUITES_ALIKE)
        return self

    def suite(self, name: str) -> ExternalSuite | None:
        """The external suite `name`; None if it is the probes' suite, or does not exist."""
        return next((suite for suite in self.suites if suite.name == name), None)

    def suites_of(self, number: int) -> tuple[str, ...]:
        """Names of the suites that evaluate a checkpoint; `number` counts them from 0."""
        due = (suite.name for suite in self.suites if number % suite.every_checkpoints == 0)
        return (INTRINSIC, *due)
