"""How an attempt ended, by its pods, the rule that matched and the store."""

from dataclasses import replace

from failed_gangs import a_failed_gang
from operator_world import START, checkpoint_of

from lccp.api.causes import Cause
from lccp.api.objects.journal import Control
from lccp.api.objects.training import End
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


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


def test_an_accelerator_out_of_memory_is_told_by_end_json() -> None:
    end = an_end(Cause.OUT_OF_MEMORY, message="rank 1: CUDA out of memory")

    assert ending(a_failed_gang(70), end).message.startswith("rank 1: CUDA out of memory")


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


def test_what_a_process_left_in_its_pods_status_is_told_where_the_store_says_nothing() -> None:
    said = "store s3://b: has no credentials"
    gang = a_failed_gang(70, 64)
    told = replace(gang, pods=(gang.pods[0], replace(gang.pods[1], message=said)))

    assert ending(told).message.startswith(f"{said} (exit code 64, 70")
    assert ending(told, an_end(Cause.CONFIGURATION, message="x is 0")).message.startswith("x is 0")
    assert said not in ending(replace(told, pods=told.pods[:1])).message
