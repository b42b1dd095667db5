"""Readings of an unfinished evaluation, from which an interrupted one resumes."""

import hashlib
import io
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lccp.store.port import Store
from lccp_evaluator.asked import Cohort, Prepared
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject

logger = logging.getLogger("lccp_evaluator.unfinished")

SUFFIX = ".npz"
NAMES = [field.name for field in fields(Reading)]


class Unfinished:
    """Readings by cohort, of one model, plan and set of samples; their keys begin with `prefix`.

    Readings of any other are deleted when the first cohort is written. `names` are the cohorts'.
    """

    def __init__(self, store: Store, prefix: str, digest: str, names: Sequence[str]) -> None:
        self._store, self._prefix, self._digest, self._names = store, prefix, digest, names

    @classmethod
    def of(cls, subject: Subject, prepared: Prepared, place: Place, versions: object) -> Self:
        """The readings of `subject`, as it is `prepared`, with these library versions."""
        first = [cohort.asked for cohort in prepared.cohorts if cohort.again is None]
        samples = [asked.frozen.digest for asked in first]
        routed = [sorted(asked.routed) for asked in first]
        said = [sorted(asked.answered.items()) for asked in first]
        plan = prepared.plan.document()
        told = [subject.checkpoint_digest, plan, samples, routed, said, versions]
        digest = _digest([*told, prepared.engine.watches])
        return cls(place.store, place.unfinished, digest, list(_names(prepared.cohorts)))

    @classmethod
    def resumed(
        cls, subject: Subject, prepared: Prepared, place: Place, versions: object
    ) -> Prepared:
        """`prepared`, in the passes by which an interrupted evaluation read last.

        They are smaller where memory ran out: nothing is read anew only to see that once more.
        """
        found, smaller = prepared, prepared if place.store.list(place.unfinished) else None
        while smaller is not None:
            if place.store.list(cls.of(subject, smaller, place, versions).keys):
                found = smaller
            smaller = smaller.halved()
        return found

    @property
    def keys(self) -> str:
        """Prefix of the keys of all cohorts."""
        return f"{self._prefix}{self._digest}"

    def get(self, cohort: int) -> list[Reading] | None:
        """The readings of cohort number `cohort`; None if there are none, or damaged ones."""
        key = self._key(cohort)
        if self._store.stat(key) is None:
            return None
        data = self._store.get(key)
        try:
            return _readings(data)
        except (BadZipFile, EOFError, KeyError, ValueError) as error:
            logger.warning("%s: is damaged, so its samples are read again: %s", key, error)
            return None

    def all(self, cohorts: int) -> dict[int, list[Reading]]:
        """The existing readings of the first `cohorts` cohorts, by number."""
        found = {number: self.get(number) for number in range(cohorts)}
        return {number: readings for number, readings in found.items() if readings is not None}

    def put(self, cohort: int, readings: Sequence[Reading]) -> None:
        """Store the readings of a cohort."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **_packed(readings))
        if cohort == 0:
            clear(self._store, self._prefix, but=self._digest)
        self._store.put(self._key(cohort), buffer.getvalue())

    def clear(self) -> None:
        """Delete them: the report exists."""
        clear(self._store, self._prefix)

    def _key(self, cohort: int) -> str:
        return f"{self.keys}-{self._names[cohort]}{SUFFIX}"


def _names(cohorts: Sequence[Cohort]) -> Iterator[str]:
    """A name for each of `cohorts`: numbers, and for repeated readings what they are repeated by.

    So other settings of these need no first reading again.
    """
    counts = Counter[str]()
    for cohort in cohorts:
        again, settings = cohort.again, cohort.asked.settings
        kind = "" if again is None else f"{_digest(settings[again.half.name].document())}-"
        yield f"{kind}{counts[kind]}"
        counts[kind] += 1


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def clear(store: Store, prefix: str, but: str | None = None) -> None:
    """Delete everything below `prefix`, except readings with the digest `but`."""
    for info in store.list(prefix):
        if but is None or but not in info.key:
            store.delete(info.key)


def _packed(readings: Sequence[Reading]) -> dict[str, NDArray[Any]]:
    """For every field its shapes, a row a reading, and the values of all readings end to end.

    An array for each field of each reading would take several times as long to write.
    """
    found: dict[str, NDArray[Any]] = {}
    for name in NAMES:
        values = [getattr(reading, name) for reading in readings]
        found[name] = np.concatenate([value.ravel() for value in values])
        found[f"{name}.shapes"] = np.array([value.shape for value in values], np.int64)
    return found


def _readings(data: bytes) -> list[Reading]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        parts = {name: _parts(arrays[name], arrays[f"{name}.shapes"]) for name in NAMES}
    return [Reading(*values) for values in zip(*parts.values(), strict=True)]


def _parts(values: NDArray[Any], shapes: NDArray[np.int64]) -> list[NDArray[Any]]:
    """Arrays of these `shapes` [R, dimensions], of consecutive `values`."""
    split = np.split(values, np.cumsum(shapes.prod(axis=1))[:-1])
    return [one.reshape(shape) for one, shape in zip(split, shapes, strict=True)]
