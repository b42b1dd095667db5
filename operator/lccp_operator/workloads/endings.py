"""How a workload ended: by its pods, and by its objects in the store."""

import re
from collections.abc import Set
from dataclasses import dataclass

from lccp.api.causes import MEANINGS, Cause, cause_of_codes
from lccp.api.exits import ExitCode
from lccp.api.labels import SUITE
from lccp_operator.workloads.state import EndingRule, WorkloadState

KUBECTL_LOG = re.compile(r"(; )?log: kubectl logs [^;()]*")
"""Where the log of a Job is, in the words of `Ending.of`."""

STAYS_SECONDS = 30.0
"""How long a workload whose result is in the store may still run: its processes end by then."""

ENDED_WELL = (Cause.COMPLETED, Cause.DRAINED)
"""Results of an attempt that has saved all it trained, and whose pods have nothing more to do."""

BY_RULE = {
    EndingRule.DISRUPTION: Cause.DISRUPTED,
    EndingRule.DEADLINE: Cause.DEADLINE,
    EndingRule.CONFIGURATION: Cause.CONFIGURATION,
    EndingRule.NOT_FINITE: Cause.NOT_FINITE,
    EndingRule.OTHER: Cause.INTERNAL,
}


@dataclass(frozen=True)
class Ending:
    """How a workload ended."""

    cause: Cause
    message: str

    @property
    def counted(self) -> bool:
        """It counts against the allowed tries."""
        return MEANINGS[self.cause].counted

    @classmethod
    def of(cls, cause: Cause, state: WorkloadState | None, message: str = "") -> "Ending":
        """The ending in a sentence; for a workload that began and failed also where its log is."""
        sentence, program = MEANINGS[cause].sentence, _program(state)
        why = _unbegun(state) or program
        failed = f"{sentence}: {why}" if why else ""
        message = message or failed or _said(state, cause) or sentence
        message += _killed(state)
        if state is None or not MEANINGS[cause].counted:
            return cls(cause, message)
        codes = sorted({pod.exit_code for pod in state.pods if pod.exit_code})
        notes = [f"exit code {', '.join(map(str, codes))}"] if codes else []
        log = f"{state.log} --container {SUITE}" if program else state.log
        notes += [f"log: {log}"] if state.log and cause is not Cause.NOT_BEGUN else []
        return cls(cause, f"{message} ({'; '.join(notes)})" if notes else message)


def without_log(message: str) -> str:
    """The message of an ending whose Job, and with it the log, is gone."""
    return KUBECTL_LOG.sub("", message).replace(" ()", "").replace("(; ", "(")


def failure(state: WorkloadState) -> Cause:
    """The cause of a workload's failure, according to its pods and its rule."""
    disrupted = state.has_lost_pod or any(pod.disrupted for pod in state.pods)
    if state.rule is EndingRule.DISRUPTION or disrupted:
        return Cause.DISRUPTED
    if state.rule is EndingRule.DEADLINE:
        return Cause.DEADLINE
    if any(pod.out_of_memory for pod in state.pods):
        return Cause.OUT_OF_MEMORY
    codes = _exit_codes(state)
    if codes:
        return cause_of_codes(codes)
    if _program(state):
        return Cause.INTERNAL
    if _unbegun(state):
        return Cause.NOT_BEGUN
    return Cause.LOST if state.rule is None else BY_RULE[state.rule]


def _unbegun(state: WorkloadState | None) -> str:
    """Why a pod of it failed before its main container began, in words; empty if none did."""
    told = (pod.failure for pod in state.pods if pod.failure) if state is not None else iter(())
    return next(told, "")


def _program(state: WorkloadState | None) -> str:
    """How the program of its external suite failed, in words; empty if it did not."""
    told = (pod.program for pod in state.pods if pod.program) if state is not None else iter(())
    return next(told, "")


def _killed(state: WorkloadState | None) -> str:
    """The node's message about the first pod that it ended."""
    told = (pod.killed for pod in state.pods if pod.killed) if state is not None else iter(())
    first = next(told, "")
    return f": {first}" if first else ""


def _said(state: WorkloadState | None, cause: Cause) -> str:
    """The message in the pod's status of a process that ended with the code of `cause`."""
    code = MEANINGS[cause].exit_code
    pods = state.pods if state is not None else ()
    return next((pod.message for pod in pods if pod.message and pod.exit_code == code), "")


def _exit_codes(state: WorkloadState) -> Set[int]:
    """The exit codes that explain it: those of pods that nobody deleted, else of any that ended."""
    by_themselves = {pod.exit_code for pod in state.pods if not pod.deleting}
    found = by_themselves, {pod.exit_code for pod in state.pods}, {state.exit_code}
    failures = ({code for code in codes if code and code != ExitCode.OK} for codes in found)
    return next(filter(None, failures), set())
