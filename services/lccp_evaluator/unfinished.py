"""Readings of an unfinished evaluation, from which an interrupted one resumes."""

import hashlib
import io
import json
import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import Self
from zipfile import BadZipFile

import numpy as np

from lccp.store.port import Store
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Prepared, Subject

logger = logging.getLogger("lccp_evaluator.unfinished")

SUFFIX = ".npz"


class Unfinished:
    """Readings by cohort, of one model, plan and set of samples; their keys begin with `prefix`.

    Readings of any other are deleted when the first cohort is written.
    """

    def __init__(self, store: Store, prefix: str, digest: str) -> None:
        self._store, self._prefix, self._digest = store, prefix, digest

    @classmethod
    def of(cls, subject: Subject, prepared: Prepared, place: Place, versions: object) -> Self:
        """The readings of `subject`, as it is `prepared`, with these library versions."""
        samples = [cohort.asked.frozen.digest for cohort in prepared.cohorts]
        routed = [sorted(cohort.asked.routed) for cohort in prepared.cohorts]
        said = [sorted(cohort.asked.answered.items()) for cohort in prepared.cohorts]
        again = [
            None if one.again is None else one.asked.settings[one.again.half.name].document()
            for one in prepared.cohorts
        ]
        plan = prepared.plan.document()
        told = [subject.checkpoint_digest, plan, samples, routed, said, again, versions]
        text = json.dumps([*told, prepared.engine.watches], sort_keys=True)
        return cls(place.store, place.unfinished, hashlib.sha256(text.encode()).hexdigest())

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
        arrays = {
            f"{number}.{field.name}": getattr(reading, field.name)
            for number, reading in enumerate(readings)
            for field in fields(Reading)
        }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        if cohort == 0:
            clear(self._store, self._prefix, but=self._digest)
        self._store.put(self._key(cohort), buffer.getvalue())

    def clear(self) -> None:
        """Delete them: the report exists."""
        clear(self._store, self._prefix)

    def _key(self, cohort: int) -> str:
        return f"{self._prefix}{self._digest}-{cohort}{SUFFIX}"


def clear(store: Store, prefix: str, but: str | None = None) -> None:
    """Delete everything below `prefix`, except readings with the digest `but`."""
    for info in store.list(prefix):
        if but is None or but not in info.key:
            store.delete(info.key)


def _readings(data: bytes) -> list[Reading]:
    names = [field.name for field in fields(Reading)]
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return [
            Reading(**{name: arrays[f"{number}.{name}"] for name in names})
            for number in range(len(arrays.files) // len(names))
        ]
