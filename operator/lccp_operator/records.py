"""Records about a run object that the store gets without a plan: its conditions, its deletion.

None is written where the store holds the run of another object, or its journal can't be read.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Acceptance, Journal
from lccp.contract.errors import InvalidInput, NotFound
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import Store


def record_deletion(store: Store, keys: RunKeys, run_uid: str, guard: Callable[[], None]) -> None:
    """Record in the journal that the run object is deleted.

    For a run whose objects are retained, nothing else in the store shows that. Raises Conflict,
    StoreUnavailable, or InvalidInput where the store refuses: try again.
    """
    found = _own(store, keys, run_uid)
    if found is None or found[1].deleted_at is not None:
        return
    known, owner = found
    deleted = owner.model_copy(update={"deleted_at": datetime.now(UTC)})
    guard()
    after = known.value.model_copy(update={"accepted": deleted})
    objects.write_if_match(store, keys.journal, after, known.etag)


def record_conditions(
    store: Store, keys: RunKeys, run_uid: str, told: RunConditions, guard: Callable[[], None]
) -> None:
    """Write the run object's conditions, unless the store has them. Raises as `record_deletion`.

    Earlier conditions that can't be read are replaced.
    """
    if _own(store, keys, run_uid) is None:
        return
    known = None
    with suppress(InvalidInput):
        known = objects.read_or_none(store, keys.conditions, RunConditions)
    if known is None or known.digest != told.digest:
        guard()
        objects.write(store, keys.conditions, told)


def _own(
    store: Store, keys: RunKeys, run_uid: str
) -> tuple[objects.Versioned[Journal], Acceptance] | None:
    """The journal if it belongs to this run object; None otherwise."""
    try:
        entry = store.get_entry(keys.journal)
    except NotFound:
        return None
    try:
        journal = Journal.from_json(entry.data, keys.journal)
    except InvalidInput:
        return None
    owner = journal.accepted
    if owner is None or owner.run_uid != run_uid:
        return None
    return objects.Versioned(journal, entry.etag), owner
