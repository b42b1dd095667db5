"""A webhook that takes half a minute is reported while the operator waits for it."""

import time
from pathlib import Path

import pytest
from a_cluster import Namespace, run_document
from admission import admission
from apiserver import ApiServer
from operator_process import OperatorProcess, wait_for

pytestmark = [pytest.mark.apiserver, pytest.mark.long]

TOLD_WITHIN_SECONDS = 30.0
WEBHOOK_SECONDS = 25.0
"""Well below the 30 s after which the API server gives it up."""


@pytest.mark.parametrize("resource", ["jobs", "lccpruns/status"])
def test_a_webhook_that_takes_long_is_told_before_it_answers(
    server: ApiServer,
    namespace: Namespace,
    operator: OperatorProcess,
    tmp_path: Path,
    resource: str,
) -> None:
    with admission(server, namespace.name, tmp_path, timeout_seconds=30) as webhook:
        webhook.delayed, webhook.seconds = resource, WEBHOOK_SECONDS
        started = time.monotonic()
        namespace.create_run(run_document("tiny"))
        wait_for(lambda: "AnswerLate" in namespace.events("tiny"), "it is silent", operator.log)
        told = time.monotonic() - started
        wait_for(
            lambda: namespace.jobs() and namespace.run("tiny").get("status"),
            "it is not begun",
            operator.log,
        )
        begun = time.monotonic() - started
    print(f"{resource}: told after {told:.1f} s, begun after {begun:.1f} s")

    assert told < TOLD_WITHIN_SECONDS
    assert told < begun
    assert resource != "jobs" or len(webhook.seen) == 1
