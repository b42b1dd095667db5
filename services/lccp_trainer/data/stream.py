"""The batches of a run: a pure function of the position, the same for every number of processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lccp.api.spec.data import DataSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.documents import Documents, open_documents
from lccp_trainer.data.packing import Cursor, Row, RowSource, Tokens


class Tokenizer(Protocol):
    """What is used of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def __call__(self, text: str, *, verbose: bool) -> Any: ...


@dataclass(frozen=True, eq=False)
class Batch:
    """The rows of one step, over all processes."""

    tokens: NDArray[np.int32]
    """Token ids, [rows, row length]."""
    positions: NDArray[np.int32]
    """Positions, [rows, row length]; 0 where a document starts."""
    predicted: NDArray[np.bool_] | None = None
    """Which tokens are predicted, [rows, row length]; None: all but the first of a document."""


@dataclass(frozen=True, eq=False)
class Position:
    """Where the data of a run is: rows given and cursor, by source."""

    rows: tuple[int, ...]
    cursors: tuple[Cursor, ...]


class Stream(Protocol):
    """Endless batches, of which a position tells where they are."""

    def start(self) -> Position: ...

    def next_batch(self, position: Position, rows: int) -> tuple[Batch, Position]: ...

    def tokens_per_source(self, position: Position) -> dict[str, int]: ...


@dataclass(frozen=True)
class DataStream:
    """The mixture of a run's sources."""

    names: tuple[str, ...]
    shares: tuple[float, ...]
    sources: tuple[RowSource, ...]

    def start(self) -> Position:
        count = len(self.sources)
        return Position(rows=(0,) * count, cursors=(Cursor(),) * count)

    def next_batch(self, position: Position, rows: int) -> tuple[Batch, Position]:
        """The next `rows` rows at `position`, and the position after them."""
        given, cursors = list(position.rows), list(position.cursors)
        chosen = []
        for _ in range(rows):
            number = next_source(self.shares, given)
            row, cursors[number] = self._next(number, cursors[number])
            given[number] += 1
            chosen.append(row)
        batch = Batch(np.stack([r.tokens for r in chosen]), np.stack([r.positions for r in chosen]))
        return batch, Position(tuple(given), tuple(cursors))

    def tokens_per_source(self, position: Position) -> dict[str, int]:
        """Tokens given so far, by the name of the source."""
        lengths = (source.row_tokens for source in self.sources)
        counts = (rows * length for rows, length in zip(position.rows, lengths, strict=True))
        return dict(zip(self.names, counts, strict=True))

    def _next(self, number: int, cursor: Cursor) -> tuple[Row, Cursor]:
        source = self.sources[number]
        try:
            return source.next(cursor)
        except LookupError:
            raise InvalidInput(
                f"{source.name}: no document has {max(1, source.minimum_tokens)} tokens or more: "
                "lower minimumLength, or give longer documents"
            ) from None


def open_stream(
    data: DataSpec,
    paths: Sequence[Path],
    tokenizer: Tokenizer,
    lengths: tuple[int, int],
    scratch: Path,
) -> DataStream:
    """The stream of the sources that have a share of the tokens.

    Args:
        paths: path of each source.
        lengths: context length of the source model, and of the target, tokens.
        scratch: folder for decompressed files.
    """
    used = [(i, s) for i, s in enumerate(data.sources) if data.share(s) > 0]
    sources = []
    for number, source in used:
        documents = open_documents(source, paths[number], f"data.sources[{number}]", scratch)
        default = lengths[0] if source.kind == "Long" else 0
        sources.append(
            RowSource(
                read=partial(encode, documents, tokenizer),
                documents=len(documents),
                row_tokens=lengths[1],
                minimum_tokens=source.minimum_length or default,
                seed=(data.seed, number),
                name=f"data.sources[{number}] ({source.name})",
            )
        )
    shares = tuple(data.share(source) for _, source in used)
    return DataStream(tuple(s.name for _, s in used), shares, tuple(sources))


def encode(documents: Documents, tokenizer: Tokenizer, number: int) -> Tokens:
    """Token ids of a document, with the tokenizer's own marks and an end-of-text token."""
    ids = list(tokenizer(documents.text(number), verbose=False)["input_ids"])
    end = tokenizer.eos_token_id
    if end is not None and ids[-1:] != [end]:
        ids.append(end)
    return np.array(ids, dtype=np.int32)


def next_source(shares: Sequence[float], rows: Sequence[int]) -> int:
    """The source that is furthest behind its share of one row more; the first one of equals.

    Since all rows have the same number of tokens, shares of rows are shares of tokens: after n
    rows every source has its share of n to within the number of sources.

    Args:
        shares: share of each source, 0 to 1, with sum 1.
        rows: rows that each source has given so far.
    """
    total = sum(rows) + 1
    behind = [
        share * total - given if share > 0 else float("-inf")
        for share, given in zip(shares, rows, strict=True)
    ]
    return behind.index(max(behind))
