"""The objects of all runs of a store, run by run, by one listing."""

from collections.abc import Iterator
from itertools import groupby

from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo, Store


class StoredRuns:
    """Lists a store repeatedly, in whatever order it returns its keys."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._scattered = False
        """Its listing has been seen to return to a run."""

    def listed(self) -> Iterator[tuple[RunKeys, list[ObjectInfo]]]:
        """The objects of each run while the store is being listed: memory holds one run's.

        If the listing returns to an earlier run (S3's directory buckets list in no order), the
        store is listed as a whole, then and from then on: runs that were already yielded are
        yielded again, complete. Raises StoreUnavailable, InvalidInput.
        """
        if not self._scattered:
            yield from self._in_passing()
        if self._scattered:
            yield from self._gathered()

    def _in_passing(self) -> Iterator[tuple[RunKeys, list[ObjectInfo]]]:
        seen: set[RunKeys] = set()
        for keys, infos in groupby(filter(_of_a_run, self._store.scan("")), _run_of):
            if keys in seen:
                self._scattered = True
                return
            seen.add(keys)
            yield keys, list(infos)

    def _gathered(self) -> Iterator[tuple[RunKeys, list[ObjectInfo]]]:
        found: dict[RunKeys, list[ObjectInfo]] = {}
        for info in filter(_of_a_run, self._store.scan("")):
            found.setdefault(_run_of(info), []).append(info)
        yield from found.items()


def names_in(store: Store, namespace: str) -> set[str]:
    """Names below which the store holds anything; takes one LIST per 1,000 of them.

    Raises StoreUnavailable, InvalidInput.
    """
    below = f"{namespace}/"
    return {prefix.removeprefix(below)[:-1] for prefix in store.level(below).prefixes}


def _of_a_run(info: ObjectInfo) -> bool:
    return info.key.count("/") > 1


def _run_of(info: ObjectInfo) -> RunKeys:
    namespace, name, _ = info.key.split("/", 2)
    return RunKeys(namespace, name)
