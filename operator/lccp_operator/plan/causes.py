"""Why a workload ended: the table of exit codes, and what the pods and the store say beside it."""

from collections.abc import Set
from dataclasses import dataclass

from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Cause
from lccp.api.objects.report import EvaluationFailure
from lccp.api.objects.training import End
from lccp_operator.observed import Phase, Rule, WorkloadState

BY_EXIT_CODE = {
    ExitCode.CONFIGURATION: Cause.CONFIGURATION,
    ExitCode.USAGE: Cause.CONFIGURATION,
    ExitCode.NOT_FINITE: Cause.NOT_FINITE,
    ExitCode.HANG: Cause.HANG,
    ExitCode.STORE_UNREACHABLE: Cause.STORE_UNREACHABLE,
    ExitCode.INTERNAL: Cause.INTERNAL,
}
"""Cause by exit code, in order of precedence: once one pod of a gang fails, the others fail
because of it (70), or receive SIGTERM (75, or 137 past their grace period)."""

BY_RULE = {
    Rule.DISRUPTION: Cause.DISRUPTED,
    Rule.DEADLINE: Cause.DEADLINE,
    Rule.CONFIGURATION: Cause.CONFIGURATION,
    Rule.NOT_FINITE: Cause.NOT_FINITE,
    Rule.OTHER: Cause.INTERNAL,
}

NOT_COUNTED = frozenset(
    {
        Cause.COMPLETED,
        Cause.DRAINED,
        Cause.TERMINATED,
        Cause.DISRUPTED,
        Cause.INCOHERENT_GANG,
        Cause.LOST,
    }
)

WORDS = {
    Cause.COMPLETED: "trained its budget",
    Cause.DRAINED: "saved its state and ended, as asked",
    Cause.CONFIGURATION: "found its configuration or input wrong",
    Cause.STORE_UNREACHABLE: "could not reach the store",
    Cause.INTERNAL: "failed",
    Cause.HANG: "made no step within training.hangTimeoutSeconds; all stacks are in its log",
    Cause.TERMINATED: "received SIGTERM, and saved its state",
    Cause.NOT_FINITE: "had a loss or gradient that stayed not finite",
    Cause.OUT_OF_MEMORY: "ran out of memory and was killed",
    Cause.DISRUPTED: "lost a pod to a disruption (node lost, drained or preempted)",
    Cause.INCOHERENT_GANG: "had a pod replaced while its peers ran on",
    Cause.DEADLINE: "took longer than its deadline",
    Cause.LOST: "disappeared without an exit status",
}


@dataclass(frozen=True)
class Ending:
    """How a workload ended."""

    cause: Cause
    message: str

    @property
    def counted(self) -> bool:
        """It counts against the tries that there are."""
        return self.cause not in NOT_COUNTED


def of_training(
    workload: WorkloadState | None,
    end: End | None,
    *,
    drain_asked: bool,
    newest_checkpoint: int | None,
) -> Ending:
    """How an attempt ended whose workload has ended, or is gone (`None`).

    An exit code of 0 is believed only with an `end.json` that fits to what was asked and stored.
    """
    succeeded = workload is None or workload.phase is Phase.SUCCEEDED
    if not succeeded:
        assert workload is not None
        cause = _failure(workload)
        if end is not None and end.result is Cause.OUT_OF_MEMORY and cause is Cause.INTERNAL:
            cause = end.result
        told = end.message if end is not None and end.result is cause else ""
        return _ending(cause, told, workload)
    if end is None:
        missing = "ended with exit code 0, but without end.json"
        return Ending(Cause.INTERNAL, missing) if workload else _ending(Cause.LOST, "", None)
    if end.result is Cause.DRAINED and not drain_asked:
        return Ending(Cause.INTERNAL, "ended as drained, but nobody had asked it to")
    if end.result is Cause.COMPLETED and (newest_checkpoint or -1) < end.tokens:
        return Ending(Cause.INTERNAL, "ended as completed, but without its last checkpoint")
    return _ending(end.result, end.message, workload)


def of_evaluation(workload: WorkloadState, failure: EvaluationFailure | None) -> Ending:
    """How an evaluation ended that left no report."""
    if workload.phase is Phase.SUCCEEDED:
        return Ending(Cause.INTERNAL, "ended with exit code 0, but without report.json")
    cause = _failure(workload)
    codes = {pod.exit_code for pod in workload.pods}
    told = failure.message if failure is not None and failure.exit_code in codes else ""
    return _ending(cause, told, workload)


def _failure(workload: WorkloadState) -> Cause:
    disrupted = workload.has_lost_pod or any(pod.disrupted for pod in workload.pods)
    if workload.rule is Rule.DISRUPTION or disrupted:
        return Cause.DISRUPTED
    if workload.rule is Rule.DEADLINE:
        return Cause.DEADLINE
    if any(pod.out_of_memory for pod in workload.pods):
        return Cause.OUT_OF_MEMORY
    codes = _exit_codes(workload)
    if codes:
        return _of_codes(codes)
    return BY_RULE[workload.rule] if workload.rule else Cause.LOST


def _exit_codes(workload: WorkloadState) -> Set[int | None]:
    """The exit codes that tell why: those of pods that nobody deleted, else of any that ended."""
    by_themselves = {pod.exit_code for pod in workload.pods if not pod.deleting}
    told = by_themselves, {pod.exit_code for pod in workload.pods}, {workload.exit_code}
    failures = (codes - {None, int(ExitCode.OK)} for codes in told)
    return next(filter(None, failures), set())


def _of_codes(codes: Set[int | None]) -> Cause:
    for code, cause in BY_EXIT_CODE.items():
        if int(code) in codes:
            return cause
    after_sigterm = {int(ExitCode.TERMINATED), int(ExitCode.KILLED)}
    terminated = int(ExitCode.TERMINATED) in codes and codes <= after_sigterm
    return Cause.TERMINATED if terminated else Cause.INTERNAL


def _ending(cause: Cause, told: str, workload: WorkloadState | None) -> Ending:
    """The ending in words; of a failure also where its log is."""
    words = told or WORDS[cause]
    if workload is None or cause in NOT_COUNTED:
        return Ending(cause, words)
    codes = sorted({pod.exit_code for pod in workload.pods if pod.exit_code})
    notes = [f"exit code {', '.join(map(str, codes))}"] if codes else []
    notes += [f"log: {workload.log}"] if workload.log else []
    return Ending(cause, f"{words} ({'; '.join(notes)})" if notes else words)
