"""What an earlier attempt has made, so that nothing is left for this one to train."""

from datetime import UTC, datetime

from lccp.api.causes import Cause
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import End
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys
from lccp.store.objects import branch_end, read_or_none
from lccp.store.port import Store


def made_before(store: Store, keys: RunKeys | BranchKeys | FineTuningKeys) -> End | None:
    """The end of an attempt whose only checkpoint is there; None where there is work left.

    A run has several checkpoints, and finds out by its states.
    """
    made = None
    if isinstance(keys, FineTuningKeys):
        made = read_or_none(store, keys.manifest, Manifest)
    elif isinstance(keys, BranchKeys):
        made = branch_end(store, keys)
    if made is None:
        return None
    return End(
        result=Cause.COMPLETED,
        tokens=made.tokens,
        step=made.step,
        message=f"{keys.checkpoint_manifest(made.tokens)} was there already",
        at=datetime.now(UTC),
    )
