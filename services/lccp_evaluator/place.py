"""Where a store holds an evaluation: report, details and samples beside it, frozen samples."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from lccp.api.labels import INTRINSIC
from lccp.contract.errors import Conflict, Incompatible, InvalidInput, NotFound
from lccp.store import objects
from lccp.store.keys import EvaluationKeys
from lccp.store.port import Store
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.samples import FrozenSamples, header_of
from lccp_evaluator.sampling.sources.digests import FileDigests, KnownDigests

SUFFIX = ".jsonl.gz"


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
        keys = self._keys(probe)
        return header_of(self.store.get(keys[0]), keys[0]) if keys else None

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

    def _keys(self, probe: str) -> list[str]:
        found = self.store.list(f"{self.samples}{probe}/")
        return [info.key for info in found if info.key.endswith(SUFFIX)]

    def frozen(
        self, probe: str, version: int, settings: dict[str, Any], tokenizer_digest: str
    ) -> FrozenSamples | None:
        """The samples of `probe` that are stored here; None if there are none.

        Raises:
            Incompatible: the stored ones are of other settings or another tokenizer.
        """
        keys = self._keys(probe)
        if not keys:
            return None
        samples = self._read(keys[0])
        samples.header.check(version, settings, tokenizer_digest, keys[0])
        return samples

    def freeze(self, samples: FrozenSamples) -> FrozenSamples:
        """Keep drawn samples here; if another evaluator was first, its own count."""
        key = self._key(samples)
        try:
            self.store.put_if_absent(key, samples.to_bytes())
        except Conflict:
            return self._read(key)
        return samples

    def _read(self, key: str) -> FrozenSamples:
        samples = FrozenSamples.from_bytes(self.store.get(key), key)
        if self._key(samples) != key:
            raise Incompatible(f"{key}: is not what its name says: it was changed")
        return samples

    def _key(self, samples: FrozenSamples) -> str:
        return f"{self.samples}{samples.header.probe}/{samples.name}{SUFFIX}"
