"""Gangs that failed."""

from lccp_operator.workloads.state import EndingRule, Phase, Pod, WorkloadState


def a_failed_gang(*codes: int | None, rule: EndingRule | None = None, **pod: bool) -> WorkloadState:
    pods = tuple(
        Pod(index, f"uid-{index}", Phase.FAILED, exit_code=code, **pod)
        for index, code in enumerate(codes)
    )
    return WorkloadState(Phase.FAILED, pods, len(pods), rule=rule)
