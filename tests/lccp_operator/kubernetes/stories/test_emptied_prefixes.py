"""The loss of a resting run's objects is reported soon, though nothing else of it changes."""

import shutil
import time

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from operator_process import OperatorProcess, wait_for

from lccp.api.exits import ExitCode
from lccp_operator.kubernetes.reconcile.emptied import ROUND_SECONDS

pytestmark = [pytest.mark.apiserver, pytest.mark.long]

TRAINING = "tiny-train-a1"
QUIET_SECONDS = 3.0
TOLD_WITHIN_SECONDS = 30.0
RECONCILES = 'lccp_reconcile_duration_seconds_count{result="success"}'


class Quiet:
    """Whether nothing was reconciled for a while."""

    def __init__(self, operator: OperatorProcess) -> None:
        self.operator, self.seen, self.since = operator, -1.0, 0.0

    def __call__(self) -> bool:
        seen, now = self.operator.metric(RECONCILES), time.monotonic()
        if seen != self.seen:
            self.seen, self.since = seen, now
        return now - self.since > QUIET_SECONDS


@pytest.fixture
def at_rest(namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess) -> Namespace:
    """A run that failed, and that nobody reconciles any more."""
    namespace.create_run(run_document("tiny"))
    jobs.start(TRAINING)
    namespace.wait_condition("tiny", "Training", "True")
    jobs.end(TRAINING, ExitCode.CONFIGURATION, 1)
    namespace.wait_condition("tiny", "Failed", "True")
    wait_for(Quiet(operator), "it does not come to rest")
    return namespace


@pytest.mark.parametrize("alone", [True, False], ids=["run.json", "prefix"])
def test_a_run_at_rest_tells_what_its_store_lost(at_rest: Namespace, alone: bool) -> None:
    keys, jobs = at_rest.keys("tiny"), len(at_rest.jobs())
    if alone:
        at_rest.store.delete(keys.identity)
    else:
        shutil.rmtree(at_rest.root / keys.prefix)
    gone_at = time.monotonic()

    at_rest.wait_condition("tiny", "Degraded", "StoredRunMissing", seconds=TOLD_WITHIN_SECONDS)

    assert time.monotonic() - gone_at < ROUND_SECONDS + 5
    assert len(at_rest.jobs()) == jobs
