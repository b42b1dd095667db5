"""What is read from run objects before, or instead of, a plan."""

from datetime import datetime, timedelta
from typing import Any

import a_run
import pytest
from operator_world import START

from lccp.api import labels
from lccp.api.conditions import ConditionType
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.intents import Event
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.reconcile.bodies import (
    Said,
    asked_anew,
    deletion_asked_at,
    held_by,
    purges,
    run_or_said,
)
from lccp_operator.observed import Owner

ONE, TWO = Owner("lccp/one@00000001"), Owner("lccp/two@00000002")
CREATED = "2026-01-05T09:00:00Z"
NEWER: Object = {"newer": {"field": 1}, "attempt": 2}
"""A status that this version can't read."""


class Runs(KubernetesRuns):
    """Notes what is written and told."""

    def __init__(self) -> None:
        self.statuses: list[Object] = []
        self.events: list[Event] = []

    def write_as_it_is(self, address: Object, status: Object) -> None:
        self.statuses.append(status)

    def tell(self, address: Object, event: Event) -> None:
        self.events.append(event)


def body(deleting: bool = False, **parts: Any) -> Object:
    metadata = {"name": "tiny", "namespace": "lab", "uid": "u", "generation": 3}
    metadata |= {"creationTimestamp": CREATED}
    metadata |= {"deletionTimestamp": CREATED} if deleting else {}
    return a_run.manifest() | {"metadata": metadata} | parts


@pytest.fixture
def runs() -> Runs:
    return Runs()


def said(given: Object, owner: Owner, runs: Runs, made_by: str | None = None) -> Said:
    found = run_or_said(given, owner, made_by, runs)
    assert isinstance(found, Said)
    return found


def run_of(given: Object, owner: Owner, runs: Runs) -> LCCPRun:
    found = run_or_said(given, owner, None, runs)
    assert isinstance(found, LCCPRun)
    return found


def test_a_deletion_waits_for_lccp_only_with_its_finalizer() -> None:
    assert purges({"metadata": {"finalizers": ["other.io/x", "lccp.io/purge"]}})
    assert not purges({"metadata": {"finalizers": ["other.io/x"]}})
    assert not purges({"metadata": {}})


def test_a_deletion_waits_for_other_programs_but_not_for_the_garbage_collector() -> None:
    finalizers = ["other.io/x", "lccp.io/purge", "foregroundDeletion"]

    assert held_by({"metadata": {"finalizers": finalizers}}) == ("other.io/x",)
    assert held_by({"metadata": {"finalizers": ["other.io/x", "orphan"]}}) == ()
    assert held_by({"metadata": {}}) == ()


def test_an_annotation_asks_for_evaluations() -> None:
    assert asked_anew({"metadata": {"annotations": {"lccp.io/reevaluate": "8192"}}}) == "8192"
    assert asked_anew({"metadata": {}}) is None


def test_a_deletion_has_a_time_in_utc() -> None:
    asked = {"metadata": {"deletionTimestamp": "2026-01-05T09:00:00Z"}}

    assert deletion_asked_at(asked) == START
    assert deletion_asked_at({"metadata": {}}) is None


@pytest.mark.parametrize("deleting", [True, False], ids=["deleted", "there"])
@pytest.mark.parametrize("parts", [{}, {"spec": {}}], ids=["a known spec", "a newer spec"])
@pytest.mark.parametrize("status", [{}, NEWER], ids=["a known status", "a newer status"])
def test_what_another_installation_has_claimed_is_left_whatever_else_its_object_says(
    runs: Runs, status: Object, parts: Object, deleting: bool
) -> None:
    claimed = status | {"installation": ONE.id, "completionTime": CREATED}

    told = said(body(deleting, status=claimed, **parts), TWO, runs)

    assert told == Said(LCCPRunStatus(installation=ONE.id, completion_time=START), ONE.id)
    assert runs.statuses == []
    (event,) = runs.events
    assert f"installation {ONE.id} manages this run" in event.message
    assert event.at == START


def test_a_run_that_cannot_be_read_is_theirs_who_made_its_workloads(runs: Runs) -> None:
    assert said(body(spec={}), TWO, runs, made_by=ONE.id).left_to == ONE.id
    assert runs.statuses == []


@pytest.mark.parametrize(
    "mark", [{"installation": ONE.id}, {"startTime": CREATED}], ids=["claimed", "begun"]
)
def test_a_run_with_a_status_of_another_version_is_held_and_keeps_it(
    runs: Runs, mark: Object
) -> None:
    known = {"type": "Other", "status": "True", "reason": "Newer", "message": ""}
    status = NEWER | mark | {"conditions": [known]}

    told = said(body(status=status), ONE, runs)

    (written,) = runs.statuses
    assert written | {"conditions": [known]} == status
    assert written["conditions"][0] == known
    (degraded,) = told.status.conditions
    assert written["conditions"][1:] == [degraded.document()]
    assert (degraded.type, degraded.status) == (ConditionType.DEGRADED, "True")
    assert degraded.message.startswith("lab/tiny: status.conditions[0].type: ")
    assert degraded.message.endswith("use the LCCP that wrote it")
    assert told.told is not None
    assert [c.type for c in told.told.conditions] == ["Degraded"]
    assert said(body(status=written), ONE, runs) == told
    assert len(runs.statuses) == 1


@pytest.mark.parametrize(
    "mark", [{"installation": 5}, {"startTime": "then"}, {"startTime": True, "attempt": "x"}]
)
@pytest.mark.parametrize("parts", [{}, {"spec": {}}], ids=["a known spec", "a newer spec"])
def test_a_run_whose_marks_cannot_be_read_is_held_as_a_begun_one(
    runs: Runs, mark: Object, parts: Object
) -> None:
    told = said(body(status=mark, **parts), ONE, runs)

    (written,) = runs.statuses
    assert written == mark | {"conditions": [c.document() for c in told.status.conditions]}
    assert told.status.conditions[0].type is ConditionType.DEGRADED
    assert said(body(status=written, **parts), ONE, runs) == told
    assert len(runs.statuses) == 1
    assert said(body(status=mark, **parts), TWO, runs, made_by=ONE.id).left_to == ONE.id


def test_conditions_of_another_shape_are_no_obstacle_to_telling_so(runs: Runs) -> None:
    odd = {"type": "Degraded", "status": "True", "lastTransitionTime": "then"}
    told = said(body(status={"startTime": 5, "conditions": [odd, {}]}), ONE, runs)

    (written,) = runs.statuses
    assert written["conditions"] == [{}, told.status.conditions[0].document()]


def test_a_mark_that_can_be_read_counts_beside_one_that_cannot(runs: Runs) -> None:
    forged = {"installation": ONE.id, "startTime": "then"}

    assert said(body(status=forged), TWO, runs).left_to == ONE.id
    assert run_of(body(True, status=forged), ONE, runs).status == LCCPRunStatus(installation=ONE.id)


def test_a_run_of_which_neither_part_can_be_read_is_held_as_well(runs: Runs) -> None:
    status = NEWER | {"installation": ONE.id}
    said(body(status=status, spec={}), ONE, runs)

    (written,) = runs.statuses
    assert written["installation"] == ONE.id
    assert written["newer"] == NEWER["newer"]
    assert written["conditions"][0]["reason"] == "InvalidSpec"


def test_a_deletion_goes_on_with_what_can_be_read_of_the_status(runs: Runs) -> None:
    run = run_of(body(True, status=NEWER | {"installation": ONE.id}), ONE, runs)
    assert run.status == LCCPRunStatus(installation=ONE.id)


def test_a_status_that_cannot_be_read_of_nobodys_run_is_none(runs: Runs) -> None:
    assert run_of(body(status={"attempt": 2}), ONE, runs).status == LCCPRunStatus(attempt=2)
    assert run_of(body(status=NEWER), ONE, runs).status is None
    assert runs.statuses == []


@pytest.mark.parametrize("status", [{}, NEWER], ids=["no status", "one of another version"])
def test_what_is_wrong_is_said_once_with_a_claim_that_others_heed(
    runs: Runs, status: Object
) -> None:
    wrong = body(spec={}, status=status)

    refused = said(wrong, ONE, runs).status
    assert runs.statuses == [refused.document()]
    accepted = next(c for c in refused.conditions if c.type is ConditionType.ACCEPTED)
    assert (accepted.status, accepted.observed_generation) == ("False", 3)
    assert accepted.message.startswith("lab/tiny: spec.")
    assert refused.installation == ONE.id

    again = wrong | {"status": refused.document()}
    assert said(again, ONE, runs).status == refused
    assert said(again, TWO, runs).left_to == ONE.id
    assert len(runs.statuses) == 1


@pytest.mark.parametrize(
    ("told", "status", "began"),
    [
        (f"u {CREATED}", {}, START),
        (f"u {CREATED}", {"startTime": "2026-01-06T09:00:00Z"}, START + timedelta(days=1)),
        (f"v {CREATED}", {}, None),
        ("u yesterday", {}, None),
        ("u", {}, None),
    ],
    ids=["emptied", "not emptied", "of another run object", "no time", "without a time"],
)
def test_that_a_run_object_began_is_known_though_its_status_is_emptied(
    runs: Runs, told: str, status: Object, began: datetime | None
) -> None:
    given = body(status=status)
    given["metadata"]["annotations"] = {labels.BEGAN: told}

    found = run_of(given, ONE, runs).status
    assert (found.start_time if found is not None else None) == began
