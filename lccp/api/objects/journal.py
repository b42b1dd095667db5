"""`journal.json` and `control/<attempt>.json`: the operator's decisions."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from lccp.api.causes import Cause
from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import Document, StoreObject, Upgrade
from lccp.api.spec.sft import SFTSpec
from lccp.api.spec.workload import ResourceSpec
from lccp.contract.base import Contract, Message
from lccp.contract.quantities import TOKENS_MAX
from lccp.contract.scalars import Int64, Time, WholeSeconds


class AttemptRecord(Contract):
    """One attempt of the training gang."""

    number: Annotated[Int64, Field(ge=1, le=2**31 - 1, description="1, 2, …")]
    branch: Annotated[
        Int64 | None,
        Field(
            ge=1,
            le=TOKENS_MAX,
            description="Tokens of the state from which its branch starts; none: it trains the run "
            "itself.",
        ),
    ] = None
    started_at: Annotated[Time, Field(description="When it was decided, UTC.")]
    ended_at: Annotated[Time | None, Field(description="When its end was observed, UTC.")] = None
    cause: Annotated[Cause | None, Field(description="Why it ended.")] = None
    counted: Annotated[bool, Field(description="Counts against maxRestarts.")] = False
    message: Annotated[Message, Field(description="What is known about the end.")] = ""
    drain_asked_at: Annotated[
        Time | None, Field(description="When it was requested to save and exit, UTC.")
    ] = None
    newest_state: Annotated[
        Int64 | None,
        Field(
            ge=0,
            le=TOKENS_MAX,
            description="Tokens of the newest training state, by trainers and store, when its end "
            "was observed; 0: none was saved. The next attempt begins from no older intact one.",
        ),
    ] = None
    seconds: Annotated[
        dict[str, WholeSeconds],
        Field(
            max_length=16,
            description="Its wall time by what it was spent on, as in the ledger of `end.json`, in "
            "whole seconds, once it ended; parts of no second are left out.",
        ),
    ] = {}


EvaluationResult = Literal["Succeeded", "Failed"]


class EvaluationOutcome(Contract):
    """How the evaluation of one checkpoint ended."""

    checkpoint_digest: Annotated[str, Field(description="Digest in the checkpoint's manifest.")]
    result: Annotated[EvaluationResult, Field(description="Result.")]
    tries: Annotated[Int64, Field(ge=0, description="Number of tries; 0 if it was adopted.")] = 1
    interruptions: Annotated[
        Int64,
        Field(
            ge=0, description="Consecutive ends that do not count as tries, such as disruptions."
        ),
    ] = 0
    at: Annotated[Time | None, Field(description="When its end was seen, UTC.")] = None
    cause: Annotated[Cause | None, Field(description="Why it failed.")] = None
    exhausted: Annotated[bool, Field(description="It failed, and is not retried.")] = False
    message: Annotated[Message, Field(description="Where and why it failed.")] = ""


class StopRecord(Contract):
    """A decision to end or hold the training, recorded before it is carried out."""

    reason: Annotated[Literal["Saturated", "DeadlineExceeded"], Field(description="Why.")]
    action: Annotated[Literal["Stop", "Suspend"], Field(description="What follows the drain.")]
    at_tokens: Annotated[Int64, Field(description="Tokens of the checkpoint that decided it.")]
    decided_at: Annotated[Time, Field(description="When, UTC.")]
    policy_digest: Annotated[
        str,
        Field(description="SHA-256 of the policy that decided it; invalid under another policy."),
    ] = ""


class LiftedStop(Contract):
    """The last stop that no longer holds."""

    reason: Annotated[Literal["Saturated", "DeadlineExceeded"], Field(description="Why it held.")]
    at: Annotated[Time, Field(description="When it was lifted, UTC.")]


class PodDefaults(Contract):
    """Settings that an installation adds to the pods of runs."""

    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"], Field(description="Of all containers.")
    ] = "IfNotPresent"
    image_pull_secrets: Annotated[
        tuple[str, ...], Field(description="Secrets in the run's namespace.")
    ] = ()
    run_service_account: Annotated[
        str, Field(description="ServiceAccount in the run's namespace.")
    ] = "default"
    evaluator_priority_class: Annotated[
        str | None, Field(description="PriorityClass of evaluators that request none.")
    ] = None


class Pinned(Contract):
    """Settings that were resolved when the first pod of the run started.

    Everything else about a run's pods is in its spec, except the address of its store, which is
    always the installation's current one. An image that the spec names may be changed there.
    """

    trainer_image: Annotated[str, Field(max_length=512, description="Image of the trainer.")] = ""
    evaluator_image: Annotated[
        str, Field(max_length=512, description="Image of the evaluators.")
    ] = ""
    purger_image: Annotated[
        str, Field(description="Image of the purge: always the operator's current one.")
    ] = ""
    purger_resources: Annotated[
        ResourceSpec, Field(description="Resources of the purge, likewise current.")
    ] = ResourceSpec()
    templates: Annotated[
        PodDefaults | None,
        BeforeValidator(lambda given: given or None),
        Field(description="Settings that the installation adds to the pods; none: not pinned yet."),
    ] = None


class Acceptance(Contract):
    """The run object that owns the stored run; a new object of the same identity adopts it."""

    run_uid: Annotated[str, Field(description="UID of the run object.")]
    at: Annotated[Time, Field(description="When it was accepted, UTC.")]
    deleted_at: Annotated[
        Time | None,
        Field(
            description="When the run object was observed to be deleted, UTC; its stored objects "
            "stay."
        ),
    ] = None
    earlier_attempts: Annotated[
        Int64, Field(ge=0, description="Number up to which no attempt's failure counts any more.")
    ] = 0


class Gang(Contract):
    """The pods of an attempt, to detect when one was replaced."""

    attempt: Annotated[Int64, Field(ge=1, description="Attempt.")]
    started_at: Annotated[Time, Field(description="Start time of the Job, UTC.")]
    digest: Annotated[str, Field(description="SHA-256 of the pods' UIDs, by index.")]


class SeenSpec(Contract):
    """The spec of a run object as it was last seen."""

    generation: Annotated[Int64, Field(ge=0, description="Generation of the run object.")]
    digest: Annotated[str, Field(description="SHA-256 of its spec without the identity.")]


def _names_suites(document: Document) -> Document:
    """Version 1 knew only one suite, and named evaluations by their checkpoint."""
    evaluations = document.get("evaluations", {}).items()
    return document | {"evaluations": {f"{key}/{INTRINSIC}": value for key, value in evaluations}}


class Journal(StoreObject):
    """The decisions made and the endings observed."""

    SCHEMA_VERSION: ClassVar[int] = 2
    UPGRADES: ClassVar[dict[int, Upgrade]] = {1: _names_suites}

    schema_version: Annotated[Int64, Field(description="Version of this object's schema.")] = 2

    accepted: Annotated[Acceptance | None, Field(description="The run object that owns it.")] = None
    pinned: Annotated[
        Pinned | None, Field(description="Resolved when the first pod of the run started.")
    ] = None
    attempts: Annotated[
        tuple[AttemptRecord, ...], Field(description="All attempts, oldest first.")
    ] = ()
    evaluations: Annotated[
        dict[str, EvaluationOutcome],
        Field(description="By tokens (15 digits) of the checkpoint, and suite."),
    ] = {}
    stop: Annotated[StopRecord | None, Field(description="The stop, once decided.")] = None
    lifted: Annotated[
        LiftedStop | None, Field(description="The last stop that no longer holds.")
    ] = None
    gang: Annotated[Gang | None, Field(description="Pods of the newest attempt.")] = None
    finished_at: Annotated[Time | None, Field(description="When nothing was left to do, UTC.")] = (
        None
    )
    failed_with: Annotated[
        SeenSpec | None,
        Field(
            description="The spec of a run that failed for good: if it was changed and changed "
            "back unseen, the run is tried again."
        ),
    ] = None
    reevaluations: Annotated[
        tuple[str, ...],
        Field(
            description="Values of the annotation `lccp.io/reevaluate` that were acted on: the "
            "last 32, oldest first."
        ),
    ] = ()


class StopMarker(StoreObject):
    """`control/stop.json`: while it exists, the trainer of an attached run should stop."""

    reason: Annotated[Literal["Saturated", "DeadlineExceeded"], Field(description="Why.")]
    at_tokens: Annotated[Int64, Field(description="Tokens of the checkpoint that decided it.")]
    decided_at: Annotated[Time, Field(description="When, UTC.")]


class Control(StoreObject):
    """`control/<attempt>.json`: the operator's requests to the trainer of an attempt."""

    request: Annotated[
        Literal["Drain"] | None, Field(description="Drain: save the state, and exit with 0.")
    ] = None
    settings: Annotated[
        dict[str, Any] | None,
        Field(description="How the attempt is carried out: the spec without its identity."),
    ] = None
    newest_state: Annotated[
        Int64 | None,
        Field(
            ge=0,
            description="Tokens of the run's newest state before the gang was made: unless "
            "`lostState` is Restart, the trainer resumes from no older one.",
        ),
    ] = None
    sft: Annotated[
        SFTSpec | None,
        Field(description="How a checkpoint is fine-tuned; none: the run is trained."),
    ] = None
