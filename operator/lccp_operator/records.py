"""What the store is told of a run object without a plan: what is said of it, and that it is gone.

Nothing is where the store holds the run of another object, or its journal can't be read.
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
    """Say in the journal that the run object is deleted.

    Nothing else in the store would say so of a run whose objects are retained. Raises Conflict,
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
    """Write what is said of the run object, unless the store says so. Raises as `record_deletion`.

    What can't be read of an earlier word is replaced.
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
    """The journal, and that it is of this run object; None otherwise."""
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
