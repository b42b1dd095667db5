"""The loss of a resting run's objects is reported soon, though nothing else of it changes."""

import shutil
import time
from pathlib import Path

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for

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


def test_no_new_run_begins_where_the_store_leads_to_another_place(
    server: ApiServer, namespace: Namespace, jobs: JobPlayer, tmp_path: Path
) -> None:
    def started(folder: str) -> OperatorProcess:
        release = {"name": "lccp", "namespace": namespace.name}
        settings = installation(
            tmp_path / folder, namespaces=[namespace.name], release=release, lease=release
        )
        return OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()

    operator = started("runs")
    namespace.create_run(run_document("tiny"))
    jobs.start(TRAINING)
    assert operator.stop() == 0

    operator = started("rusn")
    namespace.create_run(run_document("new"))
    told = namespace.wait_condition("new", "Degraded", "StoreUnmarked")
    namespace.wait_condition("tiny", "Degraded", "StoredRunMissing")
    assert "/rusn has no .installation-" in told["message"]
    assert not list((tmp_path / "rusn").rglob("*.json"))
    assert operator.stop() == 0

    operator = started("runs")
    jobs.start("new-train-a1")
    namespace.wait_condition("new", "Degraded", "False")
    namespace.wait_condition("tiny", "Degraded", "False")
    assert operator.stop() == 0
