"""The batches of a run: a pure function of the position, the same for every number of processes.

Every process plans all rows from the lengths of the documents, and reads the tokens of its rows.
"""

import logging
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from lccp.api.spec.data import DataSpec
from lccp.contract.errors import InvalidInput
from lccp.inputs.ranges import Open, not_here
from lccp_trainer.data.held_out import rows_of, without_held_out
from lccp_trainer.data.packing import Cursor, PackedSource, Packing, Piece, Position, used_tokens
from lccp_trainer.data.shards import Tokens, TokenShards, read_index

logger = logging.getLogger(__name__)

REQUESTS = 16
"""Requests to buckets that a process has under way at a time."""


@dataclass(frozen=True)
class Totals:
    """Of all rows of a step, whichever process computes them."""

    predicted: int
    """Tokens that are predicted."""
    preceding: int
    """Tokens that precede each token in its document, summed over all tokens."""

    @classmethod
    def of_texts(cls, lengths: Sequence[int]) -> Self:
        """Of texts of these lengths in which all tokens but the first are predicted."""
        return cls(sum(n - 1 for n in lengths), sum(n * (n - 1) // 2 for n in lengths))


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of one step; all arrays are [rows, row length]."""

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    """0 where a document starts, or where a row starts whose documents see each other."""
    predicted: NDArray[np.bool_] | None = None
    """Which tokens are predicted; None: all but the first of a document."""
    sources: NDArray[np.int32] | None = None
    """Number of each token's source; None: there is one source."""
    totals: Totals | None = None
    """Of the step that trains on them; None: no step does."""


class Stream(Protocol):
    """Endless batches, read from a position."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the sources, in the order of their numbers in a batch."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of each source's documents."""

    def start(self) -> Position: ...

    def resumed(self, position: Position) -> Position:
        """`position` of an earlier attempt, adapted to the current documents."""

    def next_batch(self, position: Position, rows: int, own: slice) -> tuple[Batch, Position]:
        """The `own` ones of the next `rows` rows at `position`, and the position after all."""

    def tokens_per_source(self, position: Position) -> dict[str, int]: ...

    def epochs(self, position: Position) -> dict[str, float]:
        """How often each source was trained on so far, by its name: 1.5 is once and a half."""


@dataclass(frozen=True)
class DataStream:
    """The mixture of a run's sources."""

    names: tuple[str, ...]
    shards: tuple[TokenShards, ...]
    packing: Packing
    used: tuple[int, ...]
    """Tokens that an epoch gives, by source."""
    isolated: bool = True
    """Whether positions restart with each document, which then sees no other, or with each row."""
    requests: Executor | None = None
    """Runs requests to buckets; None: no source is in one."""
    accept_changed: bool = False
    """Whether to continue with other documents than those that the run was trained on so far."""
    vocabulary: int = 2**32
    """Ids that the model knows."""

    @property
    def digests(self) -> tuple[str, ...]:
        """Of each source's documents."""
        return tuple(shards.index.digest for shards in self.shards)

    def start(self) -> Position:
        return Position.start(self.digests)

    def resumed(self, position: Position) -> Position:
        """`position`, adapted to the current documents: waiting pieces of changed ones are lost.

        Raises:
            InvalidInput: documents changed, and that is not accepted.
        """
        now = self.digests
        pairs = zip(self.names, now, position.digests, strict=True)
        changed = [name for name, digest, before in pairs if digest != before]
        if not changed:
            return position
        names = ", ".join(changed)
        if not self.accept_changed:
            raise InvalidInput(
                f"data.sources: the documents of {names} changed after training on "
                f"{sum(position.tokens):,} tokens: restore them, or set data.acceptChanged to "
                "resume with the new ones, some of which may be read twice and some never"
            )
        logger.warning("the documents of %s changed: the position in them is kept", names)
        cursors = tuple(
            Cursor(c.epoch, min(c.document, len(s)), ()) if name in changed else c
            for name, c, s in zip(self.names, position.cursors, self.shards, strict=True)
        )
        return replace(position, cursors=cursors, digests=now)

    def next_batch(
        self, position: Position, rows: int, own: slice = slice(None)
    ) -> tuple[Batch, Position]:
        """The `own` ones of the next `rows` rows at `position`, and the position after all."""
        planned, after = self.packing.rows(position, rows)
        texts = iter(self._tokens([piece for row in planned[own] for piece in row]))
        read = [self._arrays(row, [*islice(texts, len(row))]) for row in planned[own]]
        tokens, positions, sources = (np.stack(parts) for parts in zip(*read, strict=True))
        totals = Totals.of_texts([length for row in planned for length in self._texts(row)])
        return Batch(tokens, positions, sources=sources, totals=totals), after

    def tokens_per_source(self, position: Position) -> dict[str, int]:
        """Tokens given so far, by the name of the source."""
        return dict(zip(self.names, position.tokens, strict=True))

    def epochs(self, position: Position) -> dict[str, float]:
        """How often each source was trained on so far, by its name: 1.5 is once and a half.

        Tokens of documents that have changed since count as well.
        """
        of_each = zip(self.names, position.tokens, self.used, strict=True)
        return {name: round(tokens / used, 3) for name, tokens, used in of_each}

    def held_out(self) -> list[list[Piece]]:
        """Rows of the documents that no step trains on; they may have room left."""
        row = self.packing.row_tokens
        pieces = (
            Piece(number, document, 0, min(source.lengths.length(document), row))
            for number, source in enumerate(self.packing.sources)
            for document in source.held_out
        )
        return rows_of(pieces, row)

    def _tokens(self, pieces: Sequence[Piece]) -> list[Tokens]:
        """The tokens of each piece; requests to buckets run side by side."""
        return [*(self.requests.map if self.requests else map)(self._read, pieces)]

    def _read(self, piece: Piece) -> Tokens:
        shards = self.shards[piece.source]
        tokens = shards.read(piece.document, piece.start, piece.end)
        if tokens.max() >= self.vocabulary:
            raise InvalidInput(
                f"source {self.names[piece.source]}: the tokens of "
                f"{shards.place(piece.document)} are damaged: {tokens.max()} is none of the "
                f"model's {self.vocabulary:,}: tokenize it again"
            )
        return tokens

    def _arrays(
        self, row: Sequence[Piece], pieces: Sequence[Tokens]
    ) -> tuple[NDArray[np.int32], ...]:
        """Tokens, positions and sources of a row, [row length] each."""
        positions = [np.arange(length, dtype=np.int32) for length in self._texts(row)]
        sources = [np.full(len(piece), piece.source, dtype=np.int32) for piece in row]
        tokens = np.concatenate(pieces).astype(np.int32)
        return tokens, np.concatenate(positions), np.concatenate(sources)

    def _texts(self, row: Sequence[Piece]) -> list[int]:
        """Lengths of the parts of a row that see each other."""
        lengths = [len(piece) for piece in row]
        return lengths if self.isolated else [sum(lengths)]


def open_stream(
    data: DataSpec,
    folders: Sequence[Path | None],
    lengths: tuple[int, int],
    open_tokens: Open = not_here,
) -> DataStream:
    """The stream of the sources that have a share of the tokens.

    Args:
        folders: folder of shards of each source; None for a source without a share.
        lengths: context length of the source model, and of the target, tokens.
        open_tokens: opens tokens that stayed in a bucket.

    Raises:
        InvalidInput: a folder is incomplete, or no document of a source is long enough.
    """
    row = lengths[1]
    names, shards, packed, used = [], [], [], []
    for number, (source, folder) in enumerate(zip(data.sources, folders, strict=True)):
        if folder is None:
            continue
        where = f"data.sources[{number}]"
        opened = TokenShards(folder, read_index(folder, where), where, open_tokens)
        long = source.kind == "Long"
        minimum = source.minimum_length or (lengths[0] if long else 0)
        _check_longest(opened.longest(), minimum, f"{where} ({source.name})")
        names.append(source.name)
        shards.append(opened)
        whole = PackedSource(opened, data.share(source), long, minimum, (data.seed, number))
        tokens = sum(used_tokens(part, minimum, row) for part in opened.lengths_by_shard())
        kept, held_out = without_held_out(whole, data.held_out_tokens, tokens, row, source.name)
        packed.append(kept)
        used.append(tokens - held_out)
    return DataStream(
        names=tuple(names),
        shards=tuple(shards),
        packing=Packing(packed, row),
        used=tuple(used),
        isolated=not data.cross_document_attention,
        accept_changed=data.accept_changed,
        requests=ThreadPoolExecutor(REQUESTS, "ranges") if any(s.origin for s in shards) else None,
    )


def _check_longest(longest: int, minimum: int, where: str) -> None:
    """Raise InvalidInput unless a document is long enough, and has a token to predict."""
    if longest < max(2, minimum):
        lower = "lower minimumLength, or " if minimum > 2 else ""
        raise InvalidInput(
            f"{where}: no document has {max(2, minimum)} tokens or more, the longest has "
            f"{longest}: {lower}give longer documents"
        )
