"""What is read of run objects before, or instead of, a plan."""

from typing import Any

import a_run
import pytest
from operator_world import START

from lccp.api.conditions import ConditionType
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.reconcile.bodies import (
    asked_anew,
    deletion_asked_at,
    parsed,
    purges,
    refuse,
)


class Runs(KubernetesRuns):
    """Notes what is written."""

    def __init__(self) -> None:
        self.statuses: list[LCCPRunStatus] = []

    def write(self, address: Object, status: LCCPRunStatus) -> None:
        self.statuses.append(status)


def body(**parts: Any) -> Object:
    metadata = {"name": "tiny", "namespace": "lab", "uid": "u", "generation": 3}
    return a_run.manifest() | {"metadata": metadata} | parts


def test_a_deletion_waits_for_lccp_only_with_its_finalizer() -> None:
    assert purges({"metadata": {"finalizers": ["other.io/x", "lccp.io/purge"]}})
    assert not purges({"metadata": {"finalizers": ["other.io/x"]}})
    assert not purges({"metadata": {}})


def test_an_annotation_asks_for_evaluations() -> None:
    assert asked_anew({"metadata": {"annotations": {"lccp.io/reevaluate": "8192"}}}) == "8192"
    assert asked_anew({"metadata": {}}) is None


def test_a_deletion_has_a_time_in_utc() -> None:
    asked = {"metadata": {"deletionTimestamp": "2026-01-05T09:00:00Z"}}

    assert deletion_asked_at(asked) == START
    assert deletion_asked_at({"metadata": {}}) is None


def test_a_status_of_another_version_is_dropped_and_a_wrong_spec_is_not() -> None:
    assert parsed(body(status={"attempt": 2}), "run").status == LCCPRunStatus(attempt=2)
    assert parsed(body(status={"attempts": 2}), "run").status is None
    with pytest.raises(InvalidInput, match=r"run: .*spec"):
        parsed(body(spec={}), "run")


def test_what_is_wrong_is_said_beside_a_status_of_another_version() -> None:
    runs = Runs()

    status = refuse(body(spec={}, status={"newer": 1}), "spec.model: is missing", runs)

    assert runs.statuses == [status]


def test_what_is_wrong_is_said_in_the_status_once() -> None:
    runs, wrong = Runs(), body(spec={})

    status = refuse(wrong, "spec.model: is missing", runs)
    assert runs.statuses == [status]
    again = refuse(wrong | {"status": status.document()}, "spec.model: is missing", runs)

    assert runs.statuses == [status]
    assert again == status
    accepted = next(c for c in status.conditions if c.type is ConditionType.ACCEPTED)
    assert (accepted.status, accepted.message) == ("False", "spec.model: is missing")
    assert accepted.observed_generation == 3
