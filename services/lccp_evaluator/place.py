"""Where a store holds an evaluation: report, details and samples beside it, frozen samples."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.contract.errors import Conflict, Incompatible, InvalidInput, NotFound
from lccp.store import objects
from lccp.store.keys import EvaluationKeys
from lccp.store.port import Store
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.samples import FrozenSamples, header_of
from lccp_evaluator.sampling.sources.digests import FileDigests, KnownDigests

SUFFIX = ".jsonl.gz"
CHOICES_MAX = 5
"""How often samples are chosen if other evaluations change the choice meanwhile."""


class ChosenSamples(StoreObject):
    """`samples/<probe>.json`: which samples of a probe count, by the first evaluator."""

    name: Annotated[str, Field(description="Their name (`FrozenSamples.name`).")]


@dataclass(frozen=True)
class Place:
    """Folders in `store`, each empty or ending in a slash."""

    store: Store
    folder: str
    """Folder of the report and the arrays beside it."""
    samples: str
    """Folder of the frozen samples, by probe."""

    @classmethod
    def of(cls, store: Store, keys: EvaluationKeys, tokens: int, suite: str = INTRINSIC) -> "Place":
        """The place of the checkpoint at `tokens`, or of the branch that starts from it."""
        return cls(store, keys.evaluation(tokens, suite), keys.all_samples)

    @property
    def report(self) -> str:
        return f"{self.folder}report.json"

    @property
    def unfinished(self) -> str:
        """Prefix of the keys of what was read so far, used until the report exists."""
        return f"{self.folder}unfinished-"

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write `files` beside the report."""
        for name, data in files.items():
            self.store.put(f"{self.folder}{name}", data)

    def samples_of(self, probe: str) -> str:
        """The location of the frozen samples of `probe`, for messages."""
        return f"{self.store.url}/{self.samples}{probe}"

    def header(self, probe: str) -> Header | None:
        """What the stored samples of `probe` were drawn from; None if there are none."""
        key = self._counted(probe)
        return None if key is None else header_of(self.store.get(key), key)

    def digests(self) -> KnownDigests:
        """The kept digests of the files that samples were drawn from."""
        with suppress(Incompatible, InvalidInput, NotFound):  # then files are read once more
            return KnownDigests(objects.read(self.store, self._digests, FileDigests))
        return KnownDigests()

    def keep(self, digests: KnownDigests) -> None:
        """Keep digests that were computed; if two evaluators do so, those of the last one."""
        if digests.new:
            objects.write(self.store, self._digests, digests.document())

    @property
    def _digests(self) -> str:
        return f"{self.samples}files.json"

    def _counted(self, probe: str) -> str | None:
        """Key of the samples that count; None if there are none."""
        found = self.store.list(f"{self.samples}{probe}/")
        keys = [info.key for info in found if info.key.endswith(SUFFIX)]
        chosen = objects.read_or_none(self.store, self._choice(probe), ChosenSamples)
        if chosen is not None and (key := self._named(probe, chosen.name)) in keys:
            return key
        return keys[0] if keys else None

    def _choice(self, probe: str) -> str:
        return f"{self.samples}{probe}.json"

    def frozen(
        self, probe: str, version: int, settings: dict[str, Any], tokenizer_digest: str
    ) -> FrozenSamples | None:
        """The samples of `probe` that are stored here; None if there are none.

        Raises:
            Incompatible: the stored ones are of other settings or another tokenizer.
        """
        key = self._counted(probe)
        if key is None:
            return None
        samples = self._read(key)
        samples.header.check(version, settings, tokenizer_digest, key)
        self._choose(samples)
        return samples

    def freeze(self, samples: FrozenSamples) -> FrozenSamples:
        """Keep drawn samples here; if another evaluator was first, its own count.

        Raises Incompatible if those are of other settings, or drawn from something else.
        """
        key = self._key(samples)
        try:
            self.store.put_if_absent(key, samples.to_bytes())
        except Conflict:
            samples = self._read(key)
        self._choose(samples)
        return samples

    def _choose(self, samples: FrozenSamples) -> None:
        """Let `samples`, which are stored, count. Raises Incompatible if others do already."""
        for _ in range(CHOICES_MAX):
            with suppress(Conflict, NotFound):  # another evaluation changed the choice meanwhile
                self._choose_once(samples)
                return
        raise Incompatible(
            f"{self._choice(samples.header.probe)}: other evaluations keep changing which samples "
            "count: repeat this one once they have ended"
        )

    def _choose_once(self, samples: FrozenSamples) -> None:
        header, key = samples.header, self._key(samples)
        choice, chosen = self._choice(header.probe), ChosenSamples(name=samples.name)
        try:
            objects.write_if_absent(self.store, choice, chosen)
            return
        except Conflict:
            known = objects.read_versioned(self.store, choice, ChosenSamples)
        first = self._named(header.probe, known.value.name)
        if first == key:
            return
        if self.store.stat(first) is None:  # somebody deleted them, to draw anew
            objects.write_if_match(self.store, choice, chosen, known.etag)
            return
        first_header = self._read(first).header
        self.store.delete(key)
        first_header.check(header.version, header.settings, header.tokenizer_digest, first)
        raise Incompatible(f"{first}: was drawn meanwhile by another evaluation: repeat this one")

    def _read(self, key: str) -> FrozenSamples:
        samples = FrozenSamples.from_bytes(self.store.get(key), key)
        if self._key(samples) != key:
            raise Incompatible(f"{key}: is not what its name says: it was changed")
        return samples

    def _key(self, samples: FrozenSamples) -> str:
        return self._named(samples.header.probe, samples.name)

    def _named(self, probe: str, name: str) -> str:
        return f"{self.samples}{probe}/{name}{SUFFIX}"
