"""The store's objects of a run, read one by one."""

from lccp.api.objects.manifest import Manifest
from lccp.store.keys import TrainingKeys
from lccp.store.objects import listed
from lccp.store.port import Store


def complete_checkpoints(store: Store, keys: TrainingKeys) -> list[Manifest]:
    """Manifests of the checkpoints that exist, by tokens."""
    return listed(store, keys.checkpoints, "manifest.json", Manifest)


def complete_states(store: Store, keys: TrainingKeys) -> list[Manifest]:
    """Manifests of the training states that exist, by tokens."""
    return listed(store, keys.states, "manifest.json", Manifest)
