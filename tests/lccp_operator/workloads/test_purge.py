"""How a purge is made, and how it ended."""

from operator_world import EVERY_TOKENS, a_small_run, checkpoint_of

from lccp.api.causes import Cause
from lccp.api.objects.journal import Pinned
from lccp.api.spec.workload import ResourceSpec
from lccp_operator.facts import Facts
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.state import Phase, WorkloadState

GONE, FAILED = WorkloadState(Phase.SUCCEEDED), WorkloadState(Phase.FAILED, exit_code=69)


def test_its_pod_runs_what_was_pinned_and_is_replaced_when_it_fails() -> None:
    resources = ResourceSpec(requests={"cpu": "1"})
    pinned = Pinned(purger_image="operator:1", purger_resources=resources)

    pods = Purge().pods(a_small_run(), pinned)

    assert (pods.image, pods.spec.resources) == ("operator:1", resources)
    assert pods.command == ("python3", "-m", "lccp_operator.purge")
    assert pods.retries > 0


def test_it_is_done_when_the_store_holds_nothing_of_the_run() -> None:
    checkpoint = checkpoint_of(EVERY_TOKENS)

    assert Purge().done(Facts())
    assert not Purge().done(Facts(checkpoints={EVERY_TOKENS: checkpoint}))


def test_its_end_has_a_cause() -> None:
    assert Purge().ending(GONE, Facts()).cause is Cause.COMPLETED
    assert Purge().ending(FAILED, Facts()).cause is Cause.STORE_UNREACHABLE
    assert Purge().ending(None, Facts()).cause is Cause.LOST
