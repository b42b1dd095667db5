"""LCCPRun `lccp.io/v1alpha1`: the custom resource, the same for a cluster and a laptop."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.api.labels import RUN_NAME_LENGTH_MAX
from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.api.spec.data import DataSpec
from lccp.api.spec.evaluation import EvaluationSpec
from lccp.api.spec.export import ExportSpec
from lccp.api.spec.model import ModelSpec
from lccp.api.spec.saturation import RestartPolicy, SaturationSpec
from lccp.api.spec.topology import TopologySpec
from lccp.api.spec.training import TrainingSpec
from lccp.api.status import LCCPRunStatus
from lccp.contract.base import Contract
from lccp.contract.cel import Rule, let, rules
from lccp.contract.changes import IDENTITY, LIVE, NEXT_ATTEMPT
from lccp.contract.quantities import LENGTH, TOKENS
from lccp.probes.registry import PROBES

CHECKPOINT_BEYOND = (
    "checkpoints.atTokens lies beyond training.tokens: lower it, or raise the budget"
)
BATCH_TOO_SMALL = (
    "training.globalBatchTokens is less than one sequence of model.targetContextLength"
)
NAME = (
    f"metadata.name must have at most {RUN_NAME_LENGTH_MAX} characters, of a-z, 0-9 and -, "
    "with none of - at its ends: workloads are named after it"
)
NAME_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SPEC_RULES = rules(
    Rule(
        let(
            "budget",
            TOKENS.cel_at("self.training.tokens"),
            f"budget < 0 || self.checkpoints.atTokens.all(t, {TOKENS.cel('t')} <= budget)",
        ),
        CHECKPOINT_BEYOND,
        ".checkpoints.atTokens",
    ),
    Rule(
        let(
            "batch",
            TOKENS.cel_at("self.training.globalBatchTokens"),
            f"batch < 0 || batch >= {LENGTH.cel_at('self.model.targetContextLength')}",
        ),
        BATCH_TOO_SMALL,
        ".training.globalBatchTokens",
    ),
    *(rule for probe in PROBES.values() for rule in probe.rules),
)


class LCCPRunSpec(Contract):
    """What is trained, how, where, and when it stops."""

    model_config = ConfigDict(json_schema_extra=SPEC_RULES)

    model: Annotated[
        ModelSpec, Field(description="The model that is extended.", json_schema_extra=IDENTITY)
    ]
    data: Annotated[
        DataSpec, Field(description="What it is trained on.", json_schema_extra=IDENTITY)
    ]
    training: Annotated[
        TrainingSpec,
        Field(description="How long and how it is trained.", json_schema_extra=IDENTITY),
    ]
    topology: Annotated[
        TopologySpec, Field(description="The training gang.", json_schema_extra=NEXT_ATTEMPT)
    ] = TopologySpec()
    checkpoints: Annotated[
        CheckpointsSpec,
        Field(description="When the model is saved, and where to.", json_schema_extra=NEXT_ATTEMPT),
    ]
    evaluation: Annotated[
        EvaluationSpec,
        Field(description="What is measured at every checkpoint.", json_schema_extra=NEXT_ATTEMPT),
    ] = EvaluationSpec()
    saturation: Annotated[
        SaturationSpec,
        Field(description="The verdict and what it leads to.", json_schema_extra=LIVE),
    ] = SaturationSpec()
    restart_policy: Annotated[
        RestartPolicy,
        Field(description="Answer to failures of the gang.", json_schema_extra=NEXT_ATTEMPT),
    ] = RestartPolicy()
    export: Annotated[
        tuple[ExportSpec, ...],
        Field(
            max_length=3,
            description="Experiment trackers that follow the run; the exporter logs to them.",
            json_schema_extra=NEXT_ATTEMPT,
        ),
    ] = ()
    suspend: Annotated[
        StrictBool,
        Field(
            description="Pause: save state and stop. Set to false to resume.",
            json_schema_extra=LIVE,
        ),
    ] = False
    active_deadline_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=2**31 - 1,
            description="Longest time of the run since its start, in seconds; default: no limit.",
            json_schema_extra=LIVE,
        ),
    ] = None
    ttl_seconds_after_finished: Annotated[
        StrictInt | None,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Time after which a finished run is deleted, in seconds; default: never.",
            json_schema_extra=LIVE,
        ),
    ] = None
    deletion_policy: Annotated[
        Literal["Retain", "DeleteArtifacts"],
        Field(
            description="What happens to the run's objects in the store when it is deleted.",
            json_schema_extra=LIVE,
        ),
    ] = "Retain"
    purge_timeout_seconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=86_400,
            description="Longest time that DeleteArtifacts holds up the deletion, in seconds.",
            json_schema_extra=LIVE,
        ),
    ] = 3_600

    @model_validator(mode="after")
    def _is_consistent(self) -> "LCCPRunSpec":
        late = [t for t in self.checkpoints.at_tokens if t > self.training.tokens]
        if late:
            raise ValueError(f"{CHECKPOINT_BEYOND} ({late[0]:,} > {self.training.tokens:,})")
        target, batch = self.model.target_context_length, self.training.global_batch_tokens
        if batch < target:
            raise ValueError(f"{BATCH_TOO_SMALL} ({batch:,} < {target:,})")
        for name, settings in self.evaluation.probes.asked().items():
            if wrong := PROBES[name].fits(settings, target):
                raise ValueError(wrong)
        return self


class ObjectMeta(Contract):
    """The part of an object's metadata that LCCP reads; the rest is kept out of its way."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[
        str,
        Field(
            description="Name of the run: at most 40 characters; workloads are named after it.",
        ),
    ]
    namespace: Annotated[str, Field(min_length=1, max_length=63, description="Namespace.")] = (
        "default"
    )
    uid: Annotated[str, Field(description="UID, given by the API server.")] = ""
    generation: Annotated[int, Field(description="Generation of the spec.")] = 0
    creation_timestamp: Annotated[datetime | None, Field(description="When it was created.")] = None
    deletion_timestamp: Annotated[
        datetime | None, Field(description="When its deletion was asked for.")
    ] = None

    @model_validator(mode="after")
    def _name_fits(self) -> "ObjectMeta":
        if len(self.name) > RUN_NAME_LENGTH_MAX or not re.fullmatch(NAME_PATTERN, self.name):
            raise ValueError(f"{NAME}, not {self.name!r}")
        return self


class LCCPRun(Contract):
    """A long-context continual pre-training run."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"size(self.metadata.name) <= {RUN_NAME_LENGTH_MAX} "
                "&& !self.metadata.name.contains('.')",
                NAME,
            )
        )
    )

    api_version: Annotated[Literal["lccp.io/v1alpha1"], Field(description="API version.")] = (
        "lccp.io/v1alpha1"
    )
    kind: Annotated[Literal["LCCPRun"], Field(description="Kind.")] = "LCCPRun"
    metadata: Annotated[ObjectMeta, Field(description="Name, namespace.")]
    spec: Annotated[LCCPRunSpec, Field(description="What is asked for.")]
    status: Annotated[LCCPRunStatus | None, Field(description="What is seen.")] = None

    @classmethod
    def parse(cls, document: Any, where: str) -> Self:
        """The run in `document`, by the manifest's names alone; `where` names it in errors."""
        return cls._parsed(document, where, by_name=False)

    @property
    def horizon_tokens(self) -> int:
        """The horizon T of the verdict, in tokens."""
        return self.spec.saturation.horizon(self.spec.training.tokens)
