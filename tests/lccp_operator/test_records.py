"""What the store learns about a run object without a plan."""

import pytest
from operator_world import KEYS, START, MemoryStore

from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Acceptance, Journal
from lccp.contract.errors import Conflict
from lccp.store import objects
from lccp_operator.records import record_conditions, record_deletion


def owned(store: MemoryStore, uid: str) -> Journal:
    """What the journal says after the deletion of the run object `uid`; `mine` owns the run."""
    owner = Acceptance(run_uid="mine", at=START, earlier_attempts=0)
    store.put(KEYS.journal, Journal(accepted=owner, finished_at=START).to_json())
    record_deletion(store, KEYS, uid, guard=lambda: None)
    return Journal.from_json(store.get(KEYS.journal), KEYS.journal)


def test_the_deletion_of_the_runs_own_object_is_recorded_once() -> None:
    store = MemoryStore()
    journal = owned(store, "mine")
    assert journal.accepted is not None
    assert journal.accepted.deleted_at is not None
    assert journal.finished_at == START

    record_deletion(store, KEYS, "mine", guard=lambda: None)

    assert Journal.from_json(store.get(KEYS.journal), KEYS.journal) == journal


def test_the_deletion_of_another_object_of_this_name_is_none_of_the_run() -> None:
    journal = owned(MemoryStore(), "another")
    assert journal.accepted is not None
    assert journal.accepted.deleted_at is None


@pytest.mark.parametrize("left", [None, b"damaged"])
def test_a_deletion_is_not_recorded_where_there_is_no_journal(left: bytes | None) -> None:
    store = MemoryStore()
    if left is not None:
        store.put(KEYS.journal, left)
    record_deletion(store, KEYS, "mine", guard=lambda: None)
    assert store.objects.get(KEYS.journal, None) is None or store.get(KEYS.journal) == left


def test_a_replica_that_no_longer_leads_records_no_deletion() -> None:
    def refuse() -> None:
        raise Conflict("this replica no longer leads")

    store = MemoryStore()
    before = Journal(accepted=Acceptance(run_uid="mine", at=START, earlier_attempts=0))
    store.put(KEYS.journal, before.to_json())
    with pytest.raises(Conflict):
        record_deletion(store, KEYS, "mine", guard=refuse)
    assert store.get(KEYS.journal) == before.to_json()


def told_of(reason: Reason) -> RunConditions:
    degraded = Condition(
        type=ConditionType.DEGRADED, status="True", reason=reason, last_transition_time=START
    )
    return RunConditions(conditions=(degraded,))


def test_conditions_are_told_once_of_the_runs_own_object() -> None:
    store = MemoryStore()
    owned(store, "another")
    told = told_of(Reason.INVALID_SPEC)
    record_conditions(store, KEYS, "another", told, guard=lambda: None)
    assert KEYS.conditions not in store.objects

    store.put(KEYS.conditions, b"damaged")
    record_conditions(store, KEYS, "mine", told, guard=lambda: None)
    assert objects.read(store, KEYS.conditions, RunConditions).digest == told.digest

    version = store.version
    record_conditions(store, KEYS, "mine", told_of(Reason.INVALID_SPEC), guard=lambda: None)
    assert store.version == version
    record_conditions(store, KEYS, "mine", told_of(Reason.HEALTHY), guard=lambda: None)
    assert store.version == version + 1


def test_conditions_are_not_told_to_a_store_that_holds_no_such_run() -> None:
    store = MemoryStore()
    record_conditions(store, KEYS, "mine", told_of(Reason.INVALID_SPEC), guard=lambda: None)
    assert store.objects == {}
