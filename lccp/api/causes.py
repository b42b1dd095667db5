"""Why attempts and evaluations end, and what follows: the one table of causes and exit codes.

A process reports its cause by its exit code and its objects in the store; the cluster reports the
rest (out of memory, disruption, deadline).
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from lccp.api.exits import ExitCode
from lccp.contract.errors import (
    DiskFailed,
    InvalidInput,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)


class Cause(StrEnum):
    """Why an attempt or an evaluation ended."""

    CONFIGURATION = "Configuration"
    NOT_FINITE = "NotFinite"
    HANG = "Hang"
    STORE_REFUSED = "StoreRefused"
    STORE_UNREACHABLE = "StoreUnreachable"
    OUT_OF_MEMORY = "OutOfMemory"
    INTERNAL = "Internal"
    NOT_BEGUN = "NotBegun"
    DEADLINE = "Deadline"
    DISRUPTED = "Disrupted"
    INCOHERENT_GANG = "IncoherentGang"
    INCOMPLETE_GANG = "IncompleteGang"
    LOST = "Lost"
    TERMINATED = "Terminated"
    DRAINED = "Drained"
    COMPLETED = "Completed"


@dataclass(frozen=True)
class Meaning:
    """What a cause means."""

    sentence: str
    """What happened, after the name of the attempt or evaluation."""
    exit_code: ExitCode | None = None
    """The code by which a process reports it; None: only the cluster can."""
    counted: bool = True
    """It counts against the allowed restarts or retries."""
    remedy: str = ""
    """What to do once it is final, if it ever is. Fields are named by their path in the spec."""
    command_remedy: str = ""
    """The same for a run that a command carries out on one machine; empty: no difference."""


MEANINGS: Mapping[Cause, Meaning] = {
    Cause.CONFIGURATION: Meaning(
        "found its configuration or input invalid",
        ExitCode.CONFIGURATION,
        remedy="correct the field that it names, then set suspend to true and back to false; to "
        "correct a field of the run's identity, delete the run and apply it again",
        command_remedy="correct it and run the same command again",
    ),
    Cause.NOT_FINITE: Meaning(
        "had a loss or gradient that stayed non-finite",
        ExitCode.NOT_FINITE,
        remedy="set restartPolicy.retryNotFinite to resume from the newest state, or start a run "
        "with another name and a lower learning rate",
    ),
    Cause.HANG: Meaning(
        "made no step within training.hangTimeoutSeconds; all stacks are in its log",
        ExitCode.HANG,
        remedy="read the stacks in its log; raise training.hangTimeoutSeconds if steps are slow",
    ),
    Cause.STORE_REFUSED: Meaning("was refused by the store", ExitCode.STORE_REFUSED, counted=False),
    Cause.STORE_UNREACHABLE: Meaning(
        "could not reach the store",
        ExitCode.STORE_UNREACHABLE,
        remedy="make sure that the pods can reach the store with their credentials",
    ),
    Cause.OUT_OF_MEMORY: Meaning(
        "ran out of memory and was killed",
        ExitCode.INTERNAL,
        remedy="set training.activationCheckpointing, lower training.microBatchSize, or raise the "
        "memory in topology.resources",
    ),
    Cause.INTERNAL: Meaning("failed", ExitCode.INTERNAL, remedy="read its log"),
    Cause.NOT_BEGUN: Meaning(
        "failed before its processes began",
        remedy="correct what it names in the podTemplate, or check the node; an init container's "
        "output is in its own log (kubectl logs --container)",
    ),
    Cause.DEADLINE: Meaning(
        "took longer than its deadline",
        remedy="raise that deadline: evaluation.deadlineSeconds, or of an attempt the one in "
        "topology.podTemplate or on its Job",
    ),
    Cause.DISRUPTED: Meaning(
        "lost a pod to a disruption (node lost, drained or preempted)", counted=False
    ),
    Cause.INCOHERENT_GANG: Meaning(
        "had a pod replaced while its peers kept running", counted=False
    ),
    Cause.INCOMPLETE_GANG: Meaning("never had all its pods at the same time", counted=False),
    Cause.LOST: Meaning("disappeared without an exit status", counted=False),
    Cause.TERMINATED: Meaning(
        "received SIGTERM, and saved its state", ExitCode.TERMINATED, counted=False
    ),
    Cause.DRAINED: Meaning("saved its state and exited, as requested", ExitCode.OK, counted=False),
    Cause.COMPLETED: Meaning("trained its budget", ExitCode.OK, counted=False),
}
"""By cause, in order of precedence: the first explains the failures that followed in its peers."""


def cause_of(error: BaseException) -> Cause:
    """The cause that corresponds to an error in a process of a run."""
    match error:
        case StoreRefused():
            return Cause.STORE_REFUSED
        case DiskFailed():
            return Cause.INTERNAL
        case InvalidInput() | NotFound():
            return Cause.CONFIGURATION
        case StoreUnavailable():
            return Cause.STORE_UNREACHABLE
        case _ if _is_lack_of_memory(error):
            return Cause.OUT_OF_MEMORY
        case _:
            return Cause.INTERNAL


def _is_lack_of_memory(error: BaseException) -> bool:
    """Python's, torch's on an accelerator, or torch's on a CPU, which has no type of its own."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or "DefaultCPUAllocator: can't allocate memory" in str(error)


def exit_code_of(cause: Cause) -> ExitCode:
    """The code by which a process reports this cause."""
    code = MEANINGS[cause].exit_code
    return ExitCode.INTERNAL if code is None else code


def cause_of_codes(codes: Set[int]) -> Cause:
    """The cause that follows from the non-zero exit codes of one gang's pods.

    Once one pod fails, the others fail because of it (70), or receive SIGTERM (75, or 137 past
    their grace period).
    """
    if ExitCode.USAGE in codes:
        return Cause.CONFIGURATION
    for cause, meaning in MEANINGS.items():
        if meaning.exit_code in codes and cause not in (Cause.OUT_OF_MEMORY, Cause.TERMINATED):
            return cause
    after_sigterm = ExitCode.TERMINATED in codes
    return Cause.TERMINATED if after_sigterm and codes <= AFTER_SIGTERM else Cause.INTERNAL


AFTER_SIGTERM = {ExitCode.TERMINATED, ExitCode.KILLED}
"""Codes of a gang that received SIGTERM: pods past their grace period were killed."""
