"""LCCPRun `lccp.io/v1alpha1`: the custom resource, the same for a cluster and a laptop."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.api.metadata import ObjectMeta
from lccp.api.rules import (
    ATTACHED,
    BATCH_TOO_SMALL,
    BRANCH_OUTSIDE,
    CHECKPOINT_BEYOND,
    NOBODY_BRANCHES,
    NOBODY_SUSPENDS,
    ONE_TRAINER,
    RUN_RULES,
    SPEC_RULES,
)
from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.api.spec.data import DataSpec
from lccp.api.spec.evaluation import EvaluationSpec
from lccp.api.spec.export import ExportSpec
from lccp.api.spec.model import ModelSpec
from lccp.api.spec.saturation import RestartPolicy, SaturationSpec
from lccp.api.spec.source import SourceSpec
from lccp.api.spec.topology import TopologySpec
from lccp.api.spec.training import ScheduleSpec, TrainingSpec
from lccp.api.status import LCCPRunStatus
from lccp.contract.base import Contract
from lccp.contract.changes import IDENTITY, LIVE, NEXT_ATTEMPT
from lccp.contract.errors import InvalidInput
from lccp.probes.registry import PROBES


class LCCPRunSpec(Contract):
    """What is trained, how, where, and when it stops."""

    model_config = ConfigDict(json_schema_extra=SPEC_RULES)

    model: Annotated[
        ModelSpec, Field(description="The model that is extended.", json_schema_extra=IDENTITY)
    ]
    data: Annotated[
        DataSpec | None,
        Field(
            description="What the model is trained on; required with `training`.",
            json_schema_extra=IDENTITY,
        ),
    ] = None
    training: Annotated[
        TrainingSpec | None,
        Field(
            description="How long and how the model is trained; set either this or `source`.",
            json_schema_extra=IDENTITY,
        ),
    ] = None
    source: Annotated[
        SourceSpec | None,
        Field(
            description="Where another trainer saves its checkpoints, instead of `training`: an "
            "attached run, which LCCP only evaluates and judges.",
            json_schema_extra=IDENTITY,
        ),
    ] = None
    topology: Annotated[
        TopologySpec, Field(description="The training gang.", json_schema_extra=NEXT_ATTEMPT)
    ] = TopologySpec()
    checkpoints: Annotated[
        CheckpointsSpec,
        Field(description="When and where the model is saved.", json_schema_extra=NEXT_ATTEMPT),
    ]
    evaluation: Annotated[
        EvaluationSpec,
        Field(description="What is measured at every checkpoint.", json_schema_extra=NEXT_ATTEMPT),
    ] = EvaluationSpec()
    saturation: Annotated[
        SaturationSpec,
        Field(description="The verdict and its consequences.", json_schema_extra=LIVE),
    ] = SaturationSpec()
    restart_policy: Annotated[
        RestartPolicy,
        Field(description="Response to failures of the gang.", json_schema_extra=NEXT_ATTEMPT),
    ] = RestartPolicy()
    export: Annotated[
        tuple[ExportSpec, ...],
        Field(
            max_length=3,
            description="Experiment trackers that the exporter logs the run to.",
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
            description="Time limit of the run since its start, in seconds; default: no limit.",
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
            description="What happens to the run's objects in the store when the run is deleted.",
            json_schema_extra=LIVE,
        ),
    ] = "Retain"
    purge_timeout_seconds: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=86_400,
            description="Longest time that DeleteArtifacts may delay the deletion, in seconds.",
            json_schema_extra=LIVE,
        ),
    ] = 3_600

    @model_validator(mode="after")
    def _has_one_trainer(self) -> "LCCPRunSpec":
        own = self.training is not None
        if own != (self.source is None) or own != (self.data is not None):
            raise ValueError(ONE_TRAINER)
        if self.source is not None and self.saturation.action == "Suspend":
            raise ValueError(NOBODY_SUSPENDS)
        if self.source is not None and self.checkpoints.anneal is not None:
            raise ValueError(NOBODY_BRANCHES)
        return self

    @model_validator(mode="after")
    def _is_consistent(self) -> "LCCPRunSpec":
        if self.training is not None:
            self._check_budget(self.training)
        for name, settings in self.evaluation.probes.asked().items():
            if wrong := PROBES[name].fits(settings, self.model.target_context_length):
                raise ValueError(wrong)
        return self

    def _check_budget(self, training: TrainingSpec) -> None:
        late = [t for t in self.checkpoints.at_tokens if t > training.tokens]
        if late:
            raise ValueError(f"{CHECKPOINT_BEYOND} ({late[0]:,} > {training.tokens:,})")
        warmup = training.schedule.warmup_tokens or 0
        for tokens in self.checkpoints.branch_points:
            if not warmup < tokens < training.tokens:
                raise ValueError(f"{BRANCH_OUTSIDE} ({tokens:,})")
        target, batch = self.model.target_context_length, training.global_batch_tokens
        if batch < target:
            raise ValueError(f"{BATCH_TOO_SMALL} ({batch:,} < {target:,})")

    @property
    def trained(self) -> TrainingSpec:
        """How it is trained. Raises InvalidInput if it is attached to another trainer."""
        if self.training is None:
            raise InvalidInput(ATTACHED)
        return self.training

    @property
    def mixture(self) -> DataSpec:
        """What it is trained on. Raises InvalidInput if it is attached to another trainer."""
        if self.data is None:
            raise InvalidInput(ATTACHED)
        return self.data

    @property
    def budget_tokens(self) -> int:
        """Tokens trained in total, by either trainer."""
        return self.trained.tokens if self.source is None else self.source.until_tokens

    @property
    def step_tokens(self) -> int:
        """Tokens in one step, the bound of how late a checkpoint comes; 1: unknown."""
        source = self.source
        return self.trained.global_batch_tokens if source is None else source.tokens_per_step

    @property
    def branch_points(self) -> tuple[int, ...]:
        """Tokens, ascending, after the steps that reach the starting points of branches."""
        step = self.step_tokens
        reached = (-(-tokens // step) * step for tokens in self.checkpoints.branch_points)
        return tuple(sorted(set(reached)))

    @property
    def branch_tokens(self) -> int:
        """Tokens that all branches train together, in whole steps."""
        anneal = self.checkpoints.anneal
        if anneal is None:
            return 0
        step = self.step_tokens
        return len(self.branch_points) * -(-anneal.tokens // step) * step

    @property
    def schedule(self) -> ScheduleSpec:
        """The learning rate over the run, of either trainer."""
        return self.trained.schedule if self.source is None else self.source.schedule


class LCCPRun(Contract):
    """A long-context continual pre-training run."""

    model_config = ConfigDict(json_schema_extra=RUN_RULES)

    api_version: Annotated[Literal["lccp.io/v1alpha1"], Field(description="API version.")] = (
        "lccp.io/v1alpha1"
    )
    kind: Annotated[Literal["LCCPRun"], Field(description="Kind.")] = "LCCPRun"
    metadata: Annotated[ObjectMeta, Field(description="Name, namespace.")]
    spec: Annotated[LCCPRunSpec, Field(description="Desired state.")]
    status: Annotated[LCCPRunStatus | None, Field(description="Observed state.")] = None

    @classmethod
    def parse(cls, document: Any, where: str) -> Self:
        """The run in `document`, only by the manifest's names; `where` names it in errors."""
        return cls._parsed(document, where, by_name=False)

    @property
    def horizon_tokens(self) -> int:
        """The horizon T of the verdict, in tokens."""
        return self.spec.saturation.horizon(self.spec.budget_tokens)
