"""LCCPRun `lccp.io/v1alpha1`: the custom resource, the same for a cluster and a laptop."""

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from lccp.api.base import Contract
from lccp.api.labels import RUN_NAME_LENGTH_MAX
from lccp.api.spec.checkpoints import CheckpointsSpec
from lccp.api.spec.data import DataSpec
from lccp.api.spec.evaluation import EvaluationSpec
from lccp.api.spec.model import ModelSpec
from lccp.api.spec.saturation import RestartPolicy, SaturationSpec
from lccp.api.spec.topology import TopologySpec
from lccp.api.spec.training import TrainingSpec
from lccp.api.status import LCCPRunStatus


class LCCPRunSpec(Contract):
    """What is trained, how, where, and when it stops."""

    model: Annotated[ModelSpec, Field(description="The model that is extended. Immutable.")]
    data: Annotated[DataSpec, Field(description="What it is trained on. Immutable.")]
    training: Annotated[
        TrainingSpec, Field(description="The training. Immutable, but `tokens` may be raised.")
    ]
    topology: Annotated[TopologySpec, Field(description="The training gang. Immutable.")] = (
        TopologySpec()
    )
    checkpoints: Annotated[
        CheckpointsSpec, Field(description="Checkpoints. Immutable, but later ones may be added.")
    ]
    evaluation: Annotated[
        EvaluationSpec,
        Field(description="Measurements. Immutable but for `concurrency` and `retries`."),
    ] = EvaluationSpec()
    saturation: Annotated[
        SaturationSpec, Field(description="The verdict and what it leads to. Mutable.")
    ] = SaturationSpec()
    restart_policy: Annotated[
        RestartPolicy, Field(description="Answer to failures of the gang. Immutable.")
    ] = RestartPolicy()
    suspend: Annotated[
        bool, Field(description="Drain the training and hold it; false goes on exactly there.")
    ] = False
    active_deadline_seconds: Annotated[
        int | None,
        Field(
            ge=1, le=2**31 - 1, description="Longest time of the run since its start, in seconds."
        ),
    ] = None
    ttl_seconds_after_finished: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Time after which a finished run is deleted; default: never.",
        ),
    ] = None
    deletion_policy: Annotated[
        Literal["Retain", "DeleteArtifacts"],
        Field(description="What happens to the run's objects in the store when it is deleted."),
    ] = "Retain"
    purge_timeout_seconds: Annotated[
        int,
        Field(
            ge=1, le=86_400, description="Longest time that DeleteArtifacts holds up the deletion."
        ),
    ] = 3_600

    @model_validator(mode="after")
    def _is_consistent(self) -> "LCCPRunSpec":
        late = [t for t in self.checkpoints.at_tokens if t > self.training.tokens]
        if late:
            raise ValueError(
                f"checkpoints.atTokens: {late[0]} lies beyond training.tokens "
                f"({self.training.tokens}): lower it, or raise the budget"
            )
        if self.training.global_batch_tokens < self.model.target_context_length:
            raise ValueError(
                f"training.globalBatchTokens: {self.training.global_batch_tokens} is less than one "
                f"sequence of model.targetContextLength ({self.model.target_context_length})"
            )
        beyond = [
            n for n in self.evaluation.probes.niah.lengths if n > self.model.target_context_length
        ]
        if beyond:
            raise ValueError(
                f"evaluation.probes.niah.lengths: {beyond[0]} lies beyond "
                f"model.targetContextLength ({self.model.target_context_length})"
            )
        return self

    def immutable(self) -> dict[str, Any]:
        """The part of the spec that makes the run's identity, as JSON types."""
        document = self.model_dump(mode="json", by_alias=True)
        training = {k: v for k, v in document["training"].items() if k != "tokens"}
        return {
            "model": document["model"],
            "data": document["data"],
            "training": training,
            "evaluation": {"probes": document["evaluation"]["probes"]},
        }


class ObjectMeta(Contract):
    """The part of an object's metadata that LCCP reads; the rest is kept out of its way."""

    model_config = ConfigDict(extra="ignore")

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=RUN_NAME_LENGTH_MAX,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Name of the run; children are named after it.",
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


class LCCPRun(Contract):
    """A long-context continual pre-training run."""

    api_version: Annotated[Literal["lccp.io/v1alpha1"], Field(description="API version.")] = (
        "lccp.io/v1alpha1"
    )
    kind: Annotated[Literal["LCCPRun"], Field(description="Kind.")] = "LCCPRun"
    metadata: Annotated[ObjectMeta, Field(description="Name, namespace.")]
    spec: Annotated[LCCPRunSpec, Field(description="What is asked for.")]
    status: Annotated[LCCPRunStatus | None, Field(description="What is seen.")] = None

    @property
    def identity_digest(self) -> str:
        """SHA-256 of the immutable part of the spec, as canonical JSON."""
        canonical = json.dumps(self.spec.immutable(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def horizon_tokens(self) -> int:
        """The horizon T of the verdict, in tokens."""
        return self.spec.saturation.horizon(self.spec.training.tokens)
