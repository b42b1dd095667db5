"""Which runs changed since their last reconcile, and what is known about their objects."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from lccp.facts.packing import Packed
from lccp_operator.kubernetes.api.merge import Object

K = TypeVar("K", bound=Hashable)


class Inbox(Generic[K]):
    """Safe to use from several threads: each step is a single operation of a set or a dict.

    Many objects may wait for their reconcile, so they are packed.
    """

    def __init__(self) -> None:
        self._changed: set[K] = set()
        self._objects: dict[K, Packed[Object] | None] = {}
        """The current objects; None for one that must be read."""

    def note(self, key: K) -> None:
        """Something of the run changed, but not the run object."""
        self._changed.add(key)

    def put(self, key: K, body: Object | None) -> None:
        """The run object is now `body`; None if it is gone, or must be read."""
        self._objects[key] = None if body is None else Packed(body)
        self._changed.add(key)

    def __contains__(self, key: K) -> bool:
        """Whether something changed."""
        return key in self._changed

    def take(self, key: K) -> Object | None:
        """The run object, if it need not be read; its changes then count as seen."""
        self._changed.discard(key)
        found = self._objects.pop(key, None)
        return None if found is None else found.unpacked()

    def keep(self, key: K, body: Object) -> None:
        """The run object was `body` when it was last read or written; `put` takes precedence."""
        self._objects.setdefault(key, Packed(body))
