"""The objects below a run's prefix, as one listing of the store shows them."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Self

from lccp.api.labels import TOKENS_KEY
from lccp.store.keys import BranchKeys, RunKeys, TrainingKeys
from lccp.store.port import ObjectInfo, Store, StoreLevel

CONTROL = re.compile(r"([0-9]+)\.json")
WRITER = re.compile(r"a([1-9][0-9]*)-[0-9a-f]+")
SUITE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
PAGE_OBJECTS = 1_000
"""What S3 lists with one request."""


class Listing:
    """Finds objects without further requests to the store."""

    def __init__(self, keys: RunKeys, infos: Iterable[ObjectInfo]) -> None:
        self._keys = keys
        self._by_key = {info.key: info for info in sorted(infos, key=lambda info: info.key)}
        self._sorted = list(self._by_key)

    @classmethod
    def of(cls, store: Store, keys: RunKeys) -> Self:
        """One page of the store's listing shows all of most runs.

        For a larger run, the first level shows which parts exist; each of them takes one more
        listing. Of training states, which have a file of each process, only the newest complete
        one is then looked for.
        """
        page = list(islice(store.scan(keys.prefix), PAGE_OBJECTS))
        if len(page) < PAGE_OBJECTS:
            return cls(keys, page)
        return cls(keys, _parts(store, keys, store.level(keys.prefix)))

    def get(self, key: str) -> ObjectInfo | None:
        return self._by_key.get(key)

    def below(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix`, by key."""
        for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[index].startswith(prefix):
                return
            yield self._by_key[self._sorted[index]]

    def controls(self) -> dict[int, ObjectInfo]:
        """`control/<attempt>.json`, by attempt."""
        below = self._keys.controls
        pairs = ((CONTROL.fullmatch(i.key.removeprefix(below)), i) for i in self.below(below))
        return {int(match[1]): info for match, info in pairs if match}

    def manifests(self, below: str) -> dict[int, ObjectInfo]:
        """`<below><tokens>/manifest.json`, by tokens."""
        return {
            int(tokens): info
            for tokens, rest, info in self._under(below)
            if TOKENS_KEY.fullmatch(tokens) and rest == "manifest.json"
        }

    def newest_state(self) -> int | None:
        """Tokens of the newest complete training state."""
        return max(self.manifests(self._keys.states), default=None)

    def evaluations(self, name: str) -> dict[tuple[int, str], ObjectInfo]:
        """`evaluations/<tokens>/<suite>/<name>`, by tokens and suite."""
        found = {}
        for tokens, rest, info in self._under(self._keys.evaluations):
            suite, _, last = rest.partition("/")
            if TOKENS_KEY.fullmatch(tokens) and SUITE.fullmatch(suite) and last == name:
                found[int(tokens), suite] = info
        return found

    def branches(self) -> list[BranchKeys]:
        """Keys of the branches with any objects, oldest first."""
        folders = {folder for folder, _, _ in self._under(self._keys.branches)}
        return [self._keys.branch(int(one)) for one in sorted(folders) if TOKENS_KEY.fullmatch(one)]

    def of_writers(self, name: str, keys: TrainingKeys | None = None) -> dict[str, ObjectInfo]:
        """`training/<writer>/<name>`, by writer, in the order of `writers`."""
        below = (keys or self._keys).trainings
        found = {writer: self.get(f"{below}{writer}/{name}") for writer in self.writers(keys)}
        return {writer: info for writer, info in found.items() if info is not None}

    def writers(self, keys: TrainingKeys | None = None) -> list[str]:
        """Writers of the attempts, by attempt; of one attempt, the last to write comes last.

        `keys` are those of a branch; without any, of the run.

        An attempt has several if a queue took its pods away and admitted it again.
        """
        wrote: dict[str, datetime] = {}
        for writer, _, info in self._under((keys or self._keys).trainings):
            if WRITER.fullmatch(writer):
                wrote[writer] = max(info.modified, wrote.get(writer, info.modified))
        return sorted(wrote, key=lambda writer: (attempt_of(writer), wrote[writer]))

    def all_writers(self) -> list[str]:
        """Writers of the run, then those of its branches."""
        return [writer for keys in (None, *self.branches()) for writer in self.writers(keys)]

    def of_all_writers(self, name: str) -> dict[str, ObjectInfo]:
        """`<name>` of all of them, by writer."""
        parts = (self.of_writers(name, keys) for keys in (None, *self.branches()))
        return {writer: info for part in parts for writer, info in part.items()}

    def _under(self, below: str) -> Iterator[tuple[str, str, ObjectInfo]]:
        """The first folder under `below`, the rest of the key, and the object."""
        for info in self.below(below):
            folder, _, rest = info.key.removeprefix(below).partition("/")
            yield folder, rest, info


def _parts(store: Store, keys: RunKeys, top: StoreLevel) -> Iterator[ObjectInfo]:
    yield from top.objects
    parts = [keys.controls, keys.trainings, keys.checkpoints, keys.evaluations, keys.analyses]
    for part in (*parts, keys.branches):
        if part in top.prefixes:
            yield from store.list(part)
    if keys.states in top.prefixes:
        yield from _newest_state(store, keys)


def _newest_state(store: Store, keys: RunKeys) -> Iterator[ObjectInfo]:
    """Its manifest, if there is one: newer states may be incomplete."""
    folders = (key.removeprefix(keys.states)[:-1] for key in store.level(keys.states).prefixes)
    tokens = sorted((int(one) for one in folders if TOKENS_KEY.fullmatch(one)), reverse=True)
    manifests = (store.stat(keys.state_manifest(one)) for one in tokens)
    yield from islice(filter(None, manifests), 1)


def attempt_of(writer: str) -> int:
    """Attempt of a writer, `a<attempt>-<8 hex>`; 0 if it is not a writer."""
    match = WRITER.fullmatch(writer)
    return int(match[1]) if match else 0


def by_attempt(infos: Mapping[str, ObjectInfo]) -> dict[int, ObjectInfo]:
    """By attempt, the object of its last writer; writers come in order."""
    return {attempt_of(writer): info for writer, info in infos.items()}
