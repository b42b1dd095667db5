"""Where an evaluation is kept in a store: its report, the arrays beside it, the frozen samples."""

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import Conflict, Incompatible
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_evaluator.sampling.samples import FrozenSamples

SUFFIX = ".jsonl.gz"

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Place:
    """Keys in `store`; `arrays` by name of the probe, `samples` the folder of the samples."""

    store: Store
    report: str
    arrays: Mapping[str, str]
    samples: str

    @classmethod
    def of_run(cls, store: Store, keys: RunKeys, tokens: int) -> "Place":
        """The place of the checkpoint at `tokens`."""
        arrays = {
            "niah": keys.evaluation_samples(tokens),
            "retrieval_heads": keys.evaluation_heads(tokens),
        }
        return cls(store, keys.report(tokens), arrays, keys.all_samples)

    def put_arrays(self, arrays: Mapping[str, Arrays]) -> None:
        """Write the arrays of every probe, as `.npz` without pickles."""
        for probe, named in arrays.items():
            buffer = io.BytesIO()
            np.savez_compressed(buffer, allow_pickle=False, **named)
            self.store.put(self.arrays[probe], buffer.getvalue())

    def frozen(
        self,
        settings: dict[str, Any],
        tokenizer_digest: str,
        draw: Callable[[], FrozenSamples],
    ) -> FrozenSamples:
        """The samples that lie here, else those that `draw` gives, which then lie here.

        Raises:
            Incompatible: those that lie here are of other settings or another tokenizer.
        """
        keys = [info.key for info in self.store.list(self.samples) if info.key.endswith(SUFFIX)]
        if keys:
            samples = FrozenSamples.from_bytes(self.store.get(keys[0]), keys[0])
            samples.check(settings, tokenizer_digest, keys[0])
            if f"{self.samples}{samples.digest}{SUFFIX}" != keys[0]:
                raise Incompatible(f"{keys[0]}: is not what its name says: it was changed")
            return samples
        samples = draw()
        with suppress(Conflict):  # another evaluator drew the same ones at the same time
            self.store.put_if_absent(f"{self.samples}{samples.digest}{SUFFIX}", samples.to_bytes())
        return samples
