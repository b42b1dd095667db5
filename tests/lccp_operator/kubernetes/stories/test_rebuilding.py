"""A status emptied in any state is rebuilt from store and workloads; nothing is done twice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from operator_process import wait_for
from operator_world import EVERY_TOKENS

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp_operator.kubernetes import api

pytestmark = [pytest.mark.apiserver, pytest.mark.long, pytest.mark.usefixtures("operator")]

TRAINING, EVALUATION = "tiny-train-a1", f"tiny-eval-intrinsic-{EVERY_TOKENS:015d}"

Step = Callable[[Namespace, JobPlayer], None]


def begun(namespace: Namespace, jobs: JobPlayer) -> None:
    jobs.start(TRAINING)
    namespace.wait_condition("tiny", "Training", "True")


def saved(namespace: Namespace, jobs: JobPlayer) -> None:
    """Its one checkpoint ends the budget; the evaluator waits."""
    namespace.save("tiny", 1, EVERY_TOKENS)
    namespace.end("tiny", 1, EVERY_TOKENS, Cause.COMPLETED)
    jobs.end(TRAINING)
    namespace.wait_condition("tiny", "Training", "Completed")
    namespace.wait_condition("tiny", "Evaluating", "Starting")
    wait_for(lambda: evaluation(namespace) == "Running", "its evaluation was not begun")


def evaluation(namespace: Namespace) -> str:
    """Where the evaluation of its checkpoint is, by the status."""
    (checkpoint,) = namespace.run("tiny")["status"]["checkpoints"]
    return str(checkpoint["evaluation"])


def evaluating(namespace: Namespace, jobs: JobPlayer) -> None:
    jobs.start(EVALUATION)
    namespace.wait_condition("tiny", "Evaluating", "True")


def succeeded(namespace: Namespace, jobs: JobPlayer) -> None:
    namespace.report("tiny", EVERY_TOKENS)
    jobs.end(EVALUATION)
    jobs.let_go(EVALUATION)
    namespace.wait_condition("tiny", "Succeeded", "True")
    namespace.wait_condition("tiny", "Evaluating", "UpToDate")


def failed(namespace: Namespace, jobs: JobPlayer) -> None:
    jobs.end(TRAINING, ExitCode.CONFIGURATION, 1)
    namespace.wait_condition("tiny", "Failed", "True")


def suspended(namespace: Namespace, jobs: JobPlayer) -> None:
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"spec": {"suspend": True}})
    namespace.wait_condition("tiny", "Training", "Draining")
    namespace.end("tiny", 1, 0, Cause.DRAINED)
    jobs.end(TRAINING)
    namespace.wait_condition("tiny", "Suspended", "True")


STATES: dict[str, tuple[Step, ...]] = {
    "training": (begun,),
    "waiting for its evaluator": (begun, saved),
    "evaluating": (begun, saved, evaluating),
    "succeeded": (begun, saved, evaluating, succeeded),
    "failed": (begun, failed),
    "suspended": (begun, suspended),
}


def told(namespace: Namespace) -> Any:
    status = namespace.run("tiny").get("status", {})
    conditions = status.pop("conditions", ())
    return status, [{k: v for k, v in c.items() if "Time" not in k} for c in conditions]


@pytest.mark.parametrize("steps", STATES.values(), ids=STATES.keys())
def test_an_emptied_status_is_rebuilt(
    namespace: Namespace, jobs: JobPlayer, steps: tuple[Step, ...]
) -> None:
    namespace.create_run(run_document("tiny", length=1))
    for step in steps:
        step(namespace, jobs)
    before, events = told(namespace), namespace.events("tiny")
    workloads = {job["metadata"]["uid"] for job in namespace.jobs()}

    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"status": None}, "status")

    wait_for(lambda: told(namespace) == before, f"it is not as before: {before}")
    assert {job["metadata"]["uid"] for job in namespace.jobs()} == workloads
    again = Counter(namespace.events("tiny")) - Counter(events)
    assert not {*again} & {*events}, "an event was told twice"
