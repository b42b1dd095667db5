"""Conditions of an LCCPRun: their types and reasons."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract, Message
from lccp.contract.scalars import Time


class ConditionType(StrEnum):
    """What a condition is about."""

    ACCEPTED = "Accepted"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    SATURATED = "Saturated"
    SUSPENDED = "Suspended"
    DEGRADED = "Degraded"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GATE_PASSED = "GatePassed"
    """Only on runs that declare a gate."""
    VERDICT_POSSIBLE = "VerdictPossible"
    """Only on runs whose plan can never end Saturated; always False."""


OF_SOME_RUNS = (ConditionType.GATE_PASSED, ConditionType.VERDICT_POSSIBLE)
OF_EVERY_RUN: tuple[ConditionType, ...] = tuple(
    type_ for type_ in ConditionType if type_ not in OF_SOME_RUNS
)


class Reason(StrEnum):
    """Why a condition has its status. Reasons are few and stable, so that alerts can name them."""

    VALID = "Valid"
    INVALID_SPEC = "InvalidSpec"
    STORE_HOLDS_ANOTHER_RUN = "StoreHoldsAnotherRun"
    UNKNOWN_STORE = "UnknownStore"
    STORE_UNREACHABLE = "StoreUnreachable"
    STORED_OBJECT_DAMAGED = "StoredObjectDamaged"
    STORED_RUN_MISSING = "StoredRunMissing"
    STORE_UNMARKED = "StoreUnmarked"
    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    SAVING = "Saving"
    DRAINING = "Draining"
    RESTARTING = "Restarting"
    BACKING_OFF = "BackingOff"
    QUEUED = "Queued"
    UNKNOWN_QUEUE = "UnknownQueue"
    HELD_BACK = "HeldBack"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REJECTED = "PodRejected"
    PERMISSION_MISSING = "PermissionMissing"
    MISSING_SECRET = "MissingSecret"
    MISSING_CONFIG_MAP = "MissingConfigMap"
    VOLUME_NOT_MOUNTED = "VolumeNotMounted"
    CONTAINER_NOT_STARTED = "ContainerNotStarted"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    SUSPENDED_BY_USER = "SuspendedByUser"
    NOT_SUSPENDED = "NotSuspended"
    UP_TO_DATE = "UpToDate"
    EVALUATION_FAILED = "EvaluationFailed"
    OBSERVATION_INCOMPLETE = "ObservationIncomplete"
    ACTION_REFUSED = "ActionRefused"
    FAULT = "Fault"
    DATA_REPEATS = "DataRepeats"
    HEALTHY = "Healthy"
    REGRESSING = "Regressing"
    SATURATED = "Saturated"
    DECEPTIVELY_SATURATED = "DeceptivelySaturated"
    IMPROVING = "Improving"
    UNDETERMINED = "Undetermined"
    GATE_MET = "GateMet"
    GATE_NOT_MET = "GateNotMet"
    GATE_UNDECIDED = "GateUndecided"
    NEVER_SATURATED = "NeverSaturated"
    COMPLETED = "Completed"
    NOT_FINISHED = "NotFinished"
    CONFIGURATION = "Configuration"
    NOT_FINITE = "NotFinite"
    RESTARTS_EXHAUSTED = "RestartsExhausted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    PURGING = "Purging"
    DELETING = "Deleting"


REMEDIES = {
    Reason.QUEUED: "it starts once the queue admits it",
    Reason.UNKNOWN_QUEUE: "name a LocalQueue of this namespace, or none",
    Reason.HELD_BACK: "undo that change, or delete that object; what is due is then created",
    Reason.UNSCHEDULABLE: "free or add nodes, or lower {pods}.resources and relax {pods}.placement",
    Reason.QUOTA_EXCEEDED: "raise the namespace's quota or end what fills it; if it limits CPU, "
    "memory or devices, lowering {pods}.resources helps too",
    Reason.POD_REJECTED: "correct the policy of this cluster that it names, create what it misses, "
    "or change {pods}",
    Reason.MISSING_SECRET: "create it in this namespace; the pods then start by themselves",
    Reason.MISSING_CONFIG_MAP: "create it in this namespace; the pods then start by themselves",
    Reason.VOLUME_NOT_MOUNTED: "check the volume and its node, or change {pods}.podTemplate",
    Reason.CONTAINER_NOT_STARTED: "change {pods}.podTemplate or {image}, or check the node",
    Reason.IMAGE_UNAVAILABLE: (
        "correct {image}, or the credentials to pull it; or {pods}.podTemplate, if it is the image "
        "of another container"
    ),
}
"""What to do about a condition with this reason; `pods` and `image` are fields of the spec."""


class ReportedCondition(Contract):
    """A condition as it was reported, possibly by a version with other types and reasons."""

    type: Annotated[str, Field(description="What it is about.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Its status.")]
    reason: Annotated[str, Field(description="Why, in one word.")]
    message: Annotated[Message, Field(description="Why, and what to do, in a sentence.")] = ""
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
    observed_generation: Annotated[
        int, Field(ge=0, description="Generation that it describes.")
    ] = 0


class Condition(ReportedCondition):
    """One condition, as Kubernetes defines it."""

    type: Annotated[ConditionType, Field(description="What it is about.")]
    reason: Annotated[Reason, Field(description="Why, in one word.")]


def summary(conditions: Iterable[Condition]) -> str:
    """The conditions in one word, for a table: what the run does or waits for, or how it ended."""
    found = {condition.type: condition for condition in conditions}
    status = {kind: condition.status for kind, condition in found.items()}
    if status.get(ConditionType.ACCEPTED) == "False":
        return "Refused"
    for kind in (ConditionType.FAILED, ConditionType.SUCCEEDED, ConditionType.SUSPENDED):
        if status.get(kind) == "True":
            return kind.value
    training = found.get(ConditionType.TRAINING)
    if training is None or training.status == "Unknown":
        return "Pending"
    if training.status == "True" and training.reason is Reason.RUNNING:
        return ConditionType.TRAINING.value
    ended = training.reason in (Reason.COMPLETED, Reason.SATURATED)
    return ConditionType.EVALUATING.value if ended else training.reason.value
