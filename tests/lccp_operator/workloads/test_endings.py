"""Why a workload failed, by its pods and the rule that matched."""

from dataclasses import replace

import pytest
from failed_gangs import a_failed_gang

from lccp.api.causes import Cause
from lccp_operator.workloads.endings import Ending, failure, without_log
from lccp_operator.workloads.state import EndingRule, Phase, Pod, WorkloadState


def ending(state: WorkloadState) -> Ending:
    return Ending.of(failure(state), state)


def test_the_log_of_a_job_that_is_gone_is_taken_out_of_a_message() -> None:
    log = "log: kubectl logs -n lab job/tiny-train-a1"

    assert without_log(f"failed (exit code 70; {log})") == "failed (exit code 70)"
    assert without_log(f"failed ({log})") == "failed"
    assert without_log("failed (exit code 70; log: /tmp/a.log)").endswith("log: /tmp/a.log)")


def test_an_end_that_counts_says_codes_and_log_and_another_does_not() -> None:
    state = replace(a_failed_gang(70, None, 70, 64), log="kubectl logs job/j")

    assert Ending.of(Cause.INTERNAL, state, "why").message == (
        "why (exit code 64, 70; log: kubectl logs job/j)"
    )
    assert Ending.of(Cause.DISRUPTED, state, "why").message == "why"
    assert Ending.of(Cause.INTERNAL, None, "why").message == "why"
    assert Ending.of(Cause.INTERNAL, a_failed_gang(), "why").message == "why"


def test_what_a_node_says_of_a_pod_that_it_ended_is_told() -> None:
    pod = Pod(0, "a", Phase.FAILED, exit_code=137, killed="Evicted: too much")
    state = WorkloadState(Phase.FAILED, (pod,))
    assert ending(state).message == "failed: Evicted: too much (exit code 137)"
    late = replace(state, rule=EndingRule.DEADLINE)
    assert (ending(late).cause, ending(late).counted) == (Cause.DEADLINE, True)


@pytest.mark.parametrize(
    ("codes", "cause", "counted"),
    [
        ([64], Cause.CONFIGURATION, True),
        ([69], Cause.STORE_UNREACHABLE, True),
        ([70], Cause.INTERNAL, True),
        ([74], Cause.HANG, True),
        ([75], Cause.TERMINATED, False),
        ([76], Cause.NOT_FINITE, True),
        ([137], Cause.INTERNAL, True),
        ([139], Cause.INTERNAL, True),
        ([1], Cause.INTERNAL, True),
        ([75, 70, 75], Cause.INTERNAL, True),
        ([75, 139], Cause.INTERNAL, True),
        ([70, 64], Cause.CONFIGURATION, True),
        ([70, 76, 75], Cause.NOT_FINITE, True),
        ([75, 137, 75], Cause.TERMINATED, False),
        ([0, 70], Cause.INTERNAL, True),
        ([None], Cause.LOST, False),
    ],
)
def test_the_exit_code_that_explains_the_others_gives_the_cause(
    codes: list[int | None], cause: Cause, counted: bool
) -> None:
    found = ending(a_failed_gang(*codes))

    assert (found.cause, found.counted) == (cause, counted)


def test_a_disruption_explains_every_exit_code() -> None:
    assert ending(a_failed_gang(70, 75, rule=EndingRule.DISRUPTION)).cause is Cause.DISRUPTED
    assert ending(a_failed_gang(137, disrupted=True)).cause is Cause.DISRUPTED


def test_a_pod_that_nobody_deleted_explains_those_that_were() -> None:
    killed = Pod(0, "a", Phase.FAILED, exit_code=137)
    told_to_end = Pod(1, "b", Phase.FAILED, exit_code=75, deleting=True)
    gang = WorkloadState(Phase.FAILED, (killed, told_to_end), 2, rule=EndingRule.OTHER)

    assert ending(gang).cause is Cause.INTERNAL
    assert ending(replace(gang, pods=(told_to_end,))).cause is Cause.TERMINATED


def test_the_exit_code_that_matched_stands_in_for_pods_that_are_gone() -> None:
    gone = WorkloadState(Phase.FAILED, rule=EndingRule.OTHER, exit_code=75)

    assert (ending(gone).cause, ending(gone).counted) == (Cause.TERMINATED, False)


def test_a_lost_pod_is_a_disruption_whatever_its_peers_say() -> None:
    lost, peer = Pod(0, "a", Phase.RUNNING, lost=True), Pod(1, "b", Phase.FAILED, exit_code=70)
    gang = WorkloadState(Phase.RUNNING, (lost, peer), 2)

    assert ending(gang).cause is Cause.DISRUPTED


def test_a_rank_out_of_memory_is_named_and_counted() -> None:
    found = ending(a_failed_gang(137, 75, out_of_memory=True))

    assert (found.cause, found.counted) == (Cause.OUT_OF_MEMORY, True)


@pytest.mark.parametrize(
    ("rule", "cause"),
    [(EndingRule.CONFIGURATION, Cause.CONFIGURATION), (EndingRule.OTHER, Cause.INTERNAL)],
)
def test_the_rule_that_matched_stands_in_for_pods_that_are_gone(
    rule: EndingRule, cause: Cause
) -> None:
    assert ending(a_failed_gang(rule=rule)).cause is cause


def test_a_gang_whose_pod_failed_before_it_began_is_counted_and_names_no_log() -> None:
    rejected = Pod(0, "a", Phase.FAILED, failure="OutOfcpu: no room")
    gang = WorkloadState(Phase.FAILED, (rejected,), log="kubectl logs job/j")

    assert ending(gang) == Ending(
        Cause.NOT_BEGUN, "failed before its processes began: OutOfcpu: no room"
    )
    assert ending(gang).counted


def test_a_suites_program_that_took_too_much_memory_is_told_so() -> None:
    killed = Pod(0, "a", Phase.FAILED, program="the program: 137", out_of_memory=True)

    told = ending(WorkloadState(Phase.FAILED, (killed,))).message
    assert told == "ran out of memory and was killed: the program: 137"


def test_a_suites_program_that_failed_had_begun_and_its_own_log_is_named() -> None:
    failed = Pod(0, "a", Phase.FAILED, program="the suite's program ended with exit code 3")

    assert ending(WorkloadState(Phase.FAILED, (failed,), log="kubectl logs job/j")) == Ending(
        Cause.INTERNAL,
        "failed: the suite's program ended with exit code 3 "
        "(log: kubectl logs job/j --container external-suite)",
    )
