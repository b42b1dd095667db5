"""What was heard of runs since they were last looked at, and what is known of their objects."""

from collections.abc import Hashable
from typing import Generic, TypeVar

from lccp_operator.kubernetes.api.merge import Object

K = TypeVar("K", bound=Hashable)


class Heard(Generic[K]):
    """Safe to use from several threads, each of its steps being one of a set or a dict."""

    def __init__(self) -> None:
        self._news: set[K] = set()
        self._objects: dict[K, Object | None] = {}
        """As they are now; None for one that is to be read."""

    def of_children(self, key: K) -> None:
        """Something changed that is not the run object."""
        self._news.add(key)

    def of_run(self, key: K, body: Object | None) -> None:
        """The run object is now `body`; None if it is gone, or is to be read."""
        self._objects[key] = body
        self._news.add(key)

    def __contains__(self, key: K) -> bool:
        """Whether there is news."""
        return key in self._news

    def take(self, key: K) -> Object | None:
        """The run object, if it need not be read; the news is no news any more."""
        self._news.discard(key)
        return self._objects.pop(key, None)

    def keep(self, key: K, body: Object) -> None:
        """The run object was `body` when it was last read or written: unless it was heard of."""
        self._objects.setdefault(key, body)
