"""A store that does not answer is never read as empty."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from faulty_proxy import Fault, FaultyProxy, faulty_proxy
from operator_process import OperatorProcess, installation
from operator_world import EVERY_TOKENS
from seaweedfs import SeaweedFS

from lccp.api.causes import Cause
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_operator.kubernetes.serve import STORE_PATIENCE
from lccp_operator.kubernetes.store_health import PROBE_SECONDS
from lccp_operator.plan import UNKNOWN_REQUEUE_SECONDS

pytestmark = [pytest.mark.apiserver, pytest.mark.s3, pytest.mark.long]

NAMED_WITHIN_SECONDS = 40.0
"""The checks take up to 28 s, as on a cluster; the rest is for a machine that runs other tests."""
TRAINING = "tiny-train-a1"
ASKED_FOR_SECONDS = 2 * UNKNOWN_REQUEUE_SECONDS
PULSE_REQUESTS_MAX = (STORE_PATIENCE.retries + 1) * (ASKED_FOR_SECONDS / PROBE_SECONDS + 2)


class OnS3(Namespace):
    """A namespace whose runs lie in an S3 store."""

    s3: Store

    @property
    def store(self) -> Any:
        return self.s3


@pytest.fixture
def proxy(seaweedfs: SeaweedFS) -> Iterator[FaultyProxy]:
    with faulty_proxy(seaweedfs.endpoint) as made:
        yield made


@pytest.fixture
def on_s3(namespace: Namespace, seaweedfs: SeaweedFS, tmp_path: Path) -> OnS3:
    keys = seaweedfs.credentials(tmp_path / "keys")
    made = OnS3(namespace.api, namespace.name, namespace.root)
    object.__setattr__(made, "s3", open_store(seaweedfs.config("outage", keys)))
    return made


@pytest.fixture
def operator_on_s3(
    server: ApiServer, on_s3: OnS3, seaweedfs: SeaweedFS, proxy: FaultyProxy, tmp_path: Path
) -> Iterator[OperatorProcess]:
    behind = replace(seaweedfs, endpoint=proxy.endpoint)
    store = behind.config("outage", tmp_path / "keys").document()
    settings = installation(tmp_path, stores=[store], namespaces=[on_s3.name])
    process = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()
    yield process
    process.kill()


def test_nothing_is_started_or_judged_while_the_store_is_down(
    operator_on_s3: OperatorProcess, on_s3: OnS3, proxy: FaultyProxy
) -> None:
    on_s3.create_run(run_document("tiny", length=1))
    jobs = JobPlayer(on_s3)
    on_s3.wait_job(TRAINING)
    jobs.start(TRAINING)
    on_s3.beat("tiny", 1, 0)
    on_s3.wait_condition("tiny", "Training", "Running")

    proxy.always = Fault.CLOSED
    on_s3.save("tiny", 1, EVERY_TOKENS)
    on_s3.end("tiny", 1, EVERY_TOKENS, Cause.COMPLETED)
    jobs.end(TRAINING)
    named = on_s3.wait_condition(
        "tiny", "Degraded", "StoreUnreachable", seconds=NAMED_WITHIN_SECONDS
    )
    assert named["status"] == "True"
    assert "nothing is started or judged until it answers" in named["message"]
    ended = on_s3.wait_condition("tiny", "Training", "StoreUnreachable")
    assert "no pod of the last attempt works any more" in ended["message"]
    assert [job["metadata"]["name"] for job in on_s3.jobs()] == [TRAINING]
    assert 'result="unavailable"' in operator_on_s3.get("/metrics")[1]

    proxy.always = None
    evaluation = f"tiny-eval-intrinsic-{EVERY_TOKENS:015d}"
    jobs.start(evaluation)
    on_s3.report("tiny", EVERY_TOKENS)
    jobs.end(evaluation)
    jobs.let_go(evaluation)
    on_s3.wait_condition("tiny", "Succeeded", "True")
    on_s3.wait_condition("tiny", "Degraded", "False")
    assert len(on_s3.journal("tiny").attempts) == 1


def test_an_idle_run_learns_of_an_outage_and_of_its_end(
    operator_on_s3: OperatorProcess, on_s3: OnS3, proxy: FaultyProxy
) -> None:
    names = ["tiny", "twin"]
    jobs = JobPlayer(on_s3)
    for name in names:
        on_s3.create_run(run_document(name, length=1))
        on_s3.wait_job(f"{name}-train-a1")
        jobs.start(f"{name}-train-a1")
        on_s3.beat(name, 1, 0)
        on_s3.wait_condition(name, "Training", "Running")

    proxy.always = Fault.SILENT
    for name in names:
        on_s3.wait_condition(name, "Degraded", "StoreUnreachable", seconds=NAMED_WITHIN_SECONDS)
    proxy.requests.clear()
    time.sleep(ASKED_FOR_SECONDS)
    assert len(proxy.requests) <= PULSE_REQUESTS_MAX

    proxy.always = None
    for name in names:
        on_s3.beat(name, 1, 0)
        on_s3.wait_condition(name, "Degraded", "False", seconds=NAMED_WITHIN_SECONDS)
