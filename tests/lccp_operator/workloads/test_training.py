"""How an attempt ended, as its pods, the rule that matched and the store say."""

from dataclasses import replace

import pytest
from operator_world import START, checkpoint_of

from lccp.api.causes import Cause
from lccp.api.objects.journal import Control
from lccp.api.objects.training import End
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.state import Phase, Pod, Rule, WorkloadState
from lccp_operator.workloads.training import Training


def a_failed_gang(*codes: int | None, rule: Rule | None = None, **pod: bool) -> WorkloadState:
    pods = tuple(
        Pod(index, f"uid-{index}", Phase.FAILED, exit_code=code, **pod)
        for index, code in enumerate(codes)
    )
    return WorkloadState(Phase.FAILED, pods, len(pods), rule=rule)


def an_end(result: Cause, tokens: int = 0, message: str = "") -> End:
    return End(result=result, tokens=tokens, message=message, at=START)


def ending(
    state: WorkloadState | None,
    end: End | None = None,
    drain_asked: bool = False,
    newest_checkpoint: int | None = None,
) -> Ending:
    made = () if newest_checkpoint is None else (newest_checkpoint,)
    facts = Facts(
        ends={} if end is None else {1: end},
        controls={1: Control(request="Drain")} if drain_asked else {},
        checkpoints={tokens: checkpoint_of(tokens) for tokens in made},
    )
    return Training(1).ending(state, facts)


SUCCEEDED = WorkloadState(Phase.SUCCEEDED, (Pod(0, "u", Phase.SUCCEEDED, exit_code=0),))


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
    assert ending(a_failed_gang(70, 75, rule=Rule.DISRUPTION)).cause is Cause.DISRUPTED
    assert ending(a_failed_gang(137, disrupted=True)).cause is Cause.DISRUPTED


def test_a_pod_that_nobody_deleted_explains_those_that_were() -> None:
    killed = Pod(0, "a", Phase.FAILED, exit_code=137)
    told_to_end = Pod(1, "b", Phase.FAILED, exit_code=75, deleting=True)
    gang = WorkloadState(Phase.FAILED, (killed, told_to_end), 2, rule=Rule.OTHER)

    assert ending(gang).cause is Cause.INTERNAL
    assert ending(replace(gang, pods=(told_to_end,))).cause is Cause.TERMINATED


def test_the_exit_code_that_matched_stands_in_for_pods_that_are_gone() -> None:
    gone = WorkloadState(Phase.FAILED, rule=Rule.OTHER, exit_code=75)

    assert (ending(gone).cause, ending(gone).counted) == (Cause.TERMINATED, False)


def test_a_lost_pod_is_a_disruption_whatever_its_peers_say() -> None:
    lost, peer = Pod(0, "a", Phase.RUNNING, lost=True), Pod(1, "b", Phase.FAILED, exit_code=70)
    gang = WorkloadState(Phase.RUNNING, (lost, peer), 2)

    assert ending(gang).cause is Cause.DISRUPTED


def test_a_rank_out_of_memory_is_named_and_counted() -> None:
    found = ending(a_failed_gang(137, 75, out_of_memory=True))

    assert (found.cause, found.counted) == (Cause.OUT_OF_MEMORY, True)


def test_an_accelerator_out_of_memory_is_told_by_end_json() -> None:
    end = an_end(Cause.OUT_OF_MEMORY, message="rank 1: CUDA out of memory")

    assert ending(a_failed_gang(70), end).message.startswith("rank 1: CUDA out of memory")


@pytest.mark.parametrize(
    ("rule", "cause"), [(Rule.CONFIGURATION, Cause.CONFIGURATION), (Rule.OTHER, Cause.INTERNAL)]
)
def test_the_rule_that_matched_stands_in_for_pods_that_are_gone(rule: Rule, cause: Cause) -> None:
    assert ending(a_failed_gang(rule=rule)).cause is cause


def test_what_the_trainer_says_is_told_if_it_is_about_this_end() -> None:
    gang = a_failed_gang(64)

    told = ending(gang, an_end(Cause.CONFIGURATION, message="data.sources[0].path: no such file"))
    stale = ending(gang, an_end(Cause.TERMINATED, message="told to end"))

    assert told.message == "data.sources[0].path: no such file (exit code 64)"
    assert "told to end" not in stale.message


def test_exit_code_0_is_believed_only_with_what_proves_it() -> None:
    completed, drained = an_end(Cause.COMPLETED, tokens=100), an_end(Cause.DRAINED)

    assert ending(SUCCEEDED, completed, newest_checkpoint=100).cause is Cause.COMPLETED
    assert ending(SUCCEEDED, completed, newest_checkpoint=50).cause is Cause.INTERNAL
    assert ending(SUCCEEDED, drained, drain_asked=True).cause is Cause.DRAINED
    assert ending(SUCCEEDED, drained).cause is Cause.INTERNAL
    assert ending(SUCCEEDED).cause is Cause.INTERNAL


def test_a_gang_that_is_gone_ended_as_the_store_says_or_was_lost() -> None:
    assert ending(None, an_end(Cause.DRAINED), drain_asked=True).cause is Cause.DRAINED
    assert ending(None, an_end(Cause.HANG)).counted
    assert ending(None) == Ending(Cause.LOST, "disappeared without an exit status")


def test_a_gang_whose_pod_failed_before_it_began_is_counted_and_says_why() -> None:
    rejected = Pod(0, "a", Phase.FAILED, failure="OutOfcpu: no room")
    gang = WorkloadState(Phase.FAILED, (rejected,), log="kubectl logs job/j")

    assert ending(gang) == Ending(
        Cause.INTERNAL,
        "failed before its processes began: OutOfcpu: no room (log: kubectl logs job/j)",
    )
    assert ending(gang).counted


def test_what_a_process_left_in_its_pods_status_is_told_where_the_store_says_nothing() -> None:
    said = "store s3://b: has no credentials"
    gang = a_failed_gang(70, 64)
    told = replace(gang, pods=(gang.pods[0], replace(gang.pods[1], message=said)))

    assert ending(told).message.startswith(f"{said} (exit code 64, 70")
    assert ending(told, an_end(Cause.CONFIGURATION, message="x is 0")).message.startswith("x is 0")
    assert said not in ending(replace(told, pods=told.pods[:1])).message
