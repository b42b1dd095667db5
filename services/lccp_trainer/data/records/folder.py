"""Tokenized records on disk: written once on each node, mapped into memory by its processes.

The folder holds `tokens` (int32), `predicted` (one byte a token), `ends` (int64, where each record
ends), and `summary.json`, which is written last: without it the folder is not ready.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.records.reading import Read, Unusable
from lccp_trainer.data.records.rendering import Passage, rendered
from lccp_trainer.data.records.tokenizing import Tokens, tokenized
from lccp_trainer.data.shards import mapped

SUMMARY = "summary.json"
RECORDS_AT_ONCE = 256
"""Records that the tokenizer gets in one call, which it spreads over the cores."""


@dataclass(frozen=True)
class RecordsSummary:
    """The content of a folder of records."""

    records: int
    left_out: int
    predicted_tokens: int
    digest: str
    """SHA-256 of the SHA-256 of the three files."""
    template: str | None
    """The Jinja template that made text of conversations."""


@dataclass(frozen=True)
class Rules:
    """How records are made from what was read."""

    template: str | None
    """The Jinja template that makes text of conversations."""
    row_tokens: int
    """A longer record is left out: if cut, it would lose its answer."""
    left_out_max: int
    where: str
    """Path of the records' field, for messages."""


def prepare(
    read: Iterator[Read],
    tokenizer: Any,
    rules: Rules,
    folder: Path,
    alive: Callable[[], None] = lambda: None,
) -> RecordsSummary:
    """Tokenize the records of `read` into `folder`, and make it ready.

    Args:
        alive: called while it works, so that this is not taken for a hang.

    Raises:
        InvalidInput: a record can't be used and none may be left out, or none is left.
    """
    folder.mkdir(parents=True)
    with _Writer(folder) as writer:
        left_out = _LeftOut(rules)
        passages = _passages(read, tokenizer, rules, left_out)
        while together := list(islice(passages, RECORDS_AT_ONCE)):
            alive()
            tokens = tokenized([passage for _, passage in together], tokenizer)
            for (place, _), record in zip(together, tokens, strict=True):
                if fault := _fault(record, rules.row_tokens):
                    left_out.add(place, fault)
                else:
                    writer.add(record)
        if not writer.records:
            raise InvalidInput(f"{rules.where}: there is no usable record")
        return writer.close(left_out.count, rules.template)


def _passages(
    read: Iterator[Read], tokenizer: Any, rules: Rules, left_out: "_LeftOut"
) -> Iterator[tuple[str, Passage]]:
    for place, record in read:
        if not isinstance(record, Unusable):
            found = rendered(record, tokenizer, rules.template)
            if isinstance(found, Passage):
                yield place, found
                continue
            record = found
        left_out.add(place, record)


def _fault(tokens: Tokens, row_tokens: int) -> Unusable | None:
    if not tokens.predicted.any():
        return Unusable("its completion yields no tokens")
    if len(tokens.ids) > row_tokens:
        return Unusable(
            f"has {len(tokens.ids)} tokens, and a row {row_tokens}: shorten it, or raise "
            "sft.contextLength"
        )
    return None


class _LeftOut:
    """Counts the records left out, and refuses more than are allowed."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.count = 0

    def add(self, place: str, fault: Unusable) -> None:
        if self.count == self._rules.left_out_max:
            more = f" ({self.count} before it were left out)" if self.count else ""
            raise InvalidInput(
                f"{self._rules.where}: {place}: {fault.reason}{more}: correct it, or raise "
                "sft.badRecordsMax"
            )
        self.count += 1


class _Writer:
    """Writes the files of a folder, as a context; `close` makes it ready."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tokens = (folder / "tokens").open("wb")
        self._predicted = (folder / "predicted").open("wb")
        self._ends = [0]
        self._predicted_tokens = 0

    def __enter__(self) -> "_Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._tokens.close()
        self._predicted.close()

    @property
    def records(self) -> int:
        return len(self._ends) - 1

    def add(self, record: Tokens) -> None:
        self._tokens.write(record.ids.tobytes())
        self._predicted.write(record.predicted.tobytes())
        self._ends.append(self._ends[-1] + len(record.ids))
        self._predicted_tokens += int(record.predicted.sum())

    def close(self, left_out: int, template: str | None) -> RecordsSummary:
        self._tokens.close()
        self._predicted.close()
        (self._folder / "ends").write_bytes(np.array(self._ends[1:], dtype=np.int64).tobytes())
        digest = hashlib.sha256()
        for name in ("tokens", "predicted", "ends"):
            with (self._folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        counts = self.records, left_out, self._predicted_tokens
        summary = RecordsSummary(*counts, digest.hexdigest(), template)
        part = self._folder / f".{SUMMARY}.part"
        part.write_text(json.dumps(asdict(summary)))
        part.replace(self._folder / SUMMARY)
        return summary


def is_ready(folder: Path) -> bool:
    """Whether `prepare` has finished writing `folder`."""
    return (folder / SUMMARY).is_file()


class RecordFolder:
    """The records of a folder that is ready, mapped into memory."""

    def __init__(self, folder: Path) -> None:
        self.summary = RecordsSummary(**json.loads((folder / SUMMARY).read_bytes()))
        self._tokens = mapped(folder / "tokens", np.int32)
        self._predicted = mapped(folder / "predicted", np.bool_)
        self._ends = mapped(folder / "ends", np.int64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each record."""
        return np.diff(self._ends, prepend=0)

    def read(self, number: int) -> Tokens:
        start = int(self._ends[number - 1]) if number else 0
        own = slice(start, int(self._ends[number]))
        return Tokens(self._tokens[own], self._predicted[own])
