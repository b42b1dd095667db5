"""Parts of a plan that the API server refuses are reported on the run object."""

from datetime import UTC, datetime
from typing import Any

import pytest
from a_cluster import Namespace, run_document
from a_workload import INSTALLATION

from lccp.api.conditions import ConditionType, Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.bodies import Said
from lccp_operator.kubernetes.reconcile.memory import Memories
from lccp_operator.kubernetes.reconcile.refusals import Faults, told
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.plan import hindered

pytestmark = pytest.mark.apiserver
SENTENCE = "a policy forbids it"


class Closed(KubernetesRuns):
    """A policy refuses its statuses too."""

    def write(self, address: object, status: LCCPRunStatus) -> None:
        raise api.Refused("no status")


def leads() -> None:
    """This replica does."""


@pytest.fixture
def run(namespace: Namespace) -> LCCPRun:
    return LCCPRun.parse(namespace.create_run(run_document("tiny")), "run")


def refused(run: LCCPRun, runs: KubernetesRuns, error: Exception) -> list[LCCPRunStatus]:
    """What the store is told."""
    stored: list[LCCPRunStatus] = []
    noted: list[LCCPRunStatus] = []
    with pytest.raises(type(error)), told(run, runs, leads, stored.append, noted.append):
        raise error
    by_metrics = [c.reason for s in noted for c in s.conditions if c.type == "Degraded"]
    outage = type(error) is api.ApiUnavailable
    assert by_metrics == ([] if outage else [Reason.ACTION_REFUSED])
    return stored


def as_read(namespace: Namespace, kind: type[KubernetesRuns] = KubernetesRuns) -> KubernetesRuns:
    version = namespace.run("tiny")["metadata"]["resourceVersion"]
    return kind(namespace.api, version, LateAnswers(namespace.api))


@pytest.mark.parametrize("error", [api.Refused(SENTENCE), api.AdmissionUnavailable(SENTENCE)])
def test_a_refusal_is_told_by_degraded_and_one_event(
    namespace: Namespace, run: LCCPRun, error: Exception
) -> None:
    for _ in range(2):
        refused(run, as_read(namespace), error)
        run = LCCPRun.parse(namespace.run("tiny"), "run")

    degraded = namespace.conditions("tiny")["Degraded"]
    assert (degraded["status"], degraded["reason"]) == ("True", "ActionRefused")
    assert degraded["message"].startswith(f"{SENTENCE}: it is retried")
    assert namespace.events("tiny") == ["Refused"]


def test_what_was_known_of_the_run_stays(namespace: Namespace, run: LCCPRun) -> None:
    known = run.model_copy(update={"status": LCCPRunStatus(attempt=3)})
    refused(known, as_read(namespace), api.Refused(SENTENCE))
    assert namespace.run("tiny")["status"]["attempt"] == 3


@pytest.mark.parametrize("sentence", [SENTENCE, "a policy forbids it " * 100])
def test_the_store_is_told_once(namespace: Namespace, run: LCCPRun, sentence: str) -> None:
    (told,) = refused(run, as_read(namespace), api.Refused(sentence))
    assert Reason.ACTION_REFUSED in [condition.reason for condition in told.conditions]

    run = LCCPRun.parse(namespace.run("tiny"), "run")
    assert refused(run, as_read(namespace), api.Refused(sentence)) == []
    assert namespace.events("tiny") == ["Refused"]


def test_a_refused_status_is_told_by_one_event(namespace: Namespace, run: LCCPRun) -> None:
    for _ in range(2):
        assert refused(run, as_read(namespace, Closed), api.Refused(SENTENCE)) == []
    assert namespace.events("tiny") == ["Refused"]


def test_a_status_that_was_written_is_left(namespace: Namespace, run: LCCPRun) -> None:
    runs = as_read(namespace)
    runs.write_status(run, LCCPRunStatus(attempt=2))
    refused(run, runs, api.Refused(SENTENCE))

    assert namespace.run("tiny")["status"]["attempt"] == 2
    assert namespace.conditions("tiny") == {}
    assert namespace.events("tiny") == ["Refused"]


def test_other_errors_are_not_told(namespace: Namespace, run: LCCPRun) -> None:
    refused(run, as_read(namespace), api.ApiUnavailable("silent"))
    assert "status" not in namespace.run("tiny")


FAULT = AttributeError("nobody foresaw it")


@pytest.mark.parametrize(
    ("error", "owner", "events", "said"),
    [
        (FAULT, "", ["Fault"], ["True", "True"]),
        (FAULT, "lccp/other@12345678", ["Fault"], []),
        (api.ApiUnavailable("silent"), "", [], []),
    ],
    ids=["a fault", "of another's run", "an outage"],
)
def test_a_fault_is_told_by_degraded_and_one_event(
    namespace: Namespace, run: LCCPRun, error: Exception, owner: str, events: list[str], said: Any
) -> None:
    if owner:
        as_read(namespace).write_status(run, LCCPRunStatus(installation=owner))
    noted: list[str] = []

    def note(told: Said, *_: object) -> float:
        noted.extend(c.status for c in told.status.conditions if c.reason is Reason.FAULT)
        return 0.0

    ownership, late = Ownership(namespace.api, INSTALLATION), LateAnswers(namespace.api)
    faults = Faults(namespace.api, ownership, Memories(), late, note)
    for _ in range(2):
        key, body = RunKey(namespace.name, "tiny"), namespace.run("tiny")
        with pytest.raises(type(error)), faults.told(key, body):
            raise error

    assert namespace.events("tiny") == events
    assert noted == said
    assert ("Degraded" in namespace.conditions("tiny")) == bool(said)


def test_a_hindered_run_says_why(run: LCCPRun) -> None:
    status = hindered(run, SENTENCE, datetime.now(UTC))
    found = {condition.type: condition for condition in status.conditions}
    assert found[ConditionType.DEGRADED].reason is Reason.ACTION_REFUSED
