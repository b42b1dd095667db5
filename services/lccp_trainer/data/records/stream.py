"""The batches of a fine-tuning: a pure function of the position, like those of a run."""

from dataclasses import dataclass

import numpy as np

from lccp_trainer.data.packing import Position
from lccp_trainer.data.records.folder import RecordFolder
from lccp_trainer.data.records.rows import Row
from lccp_trainer.data.stream import Batch, Totals

PADDING = 0
"""Token id that fills up a row: a separate document, in which nothing is predicted."""


@dataclass(frozen=True)
class RecordStream:
    """The rows of a fine-tuning, and rows of padding after them."""

    records: RecordFolder
    rows: list[Row]
    row_tokens: int
    names: tuple[str, ...] = ("records",)

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the records."""
        return (self.records.summary.digest,)

    def start(self) -> Position:
        return Position(tokens=(0,), cursors=())

    def resumed(self, position: Position) -> Position:
        """`position`: other records mean another fine-tuning, which was refused before."""
        return position

    def next_batch(
        self, position: Position, rows: int, own: slice = slice(None)
    ) -> tuple[Batch, Position]:
        """The `own` part of the next `rows` rows at `position`, and the position after all."""
        (tokens,) = position.tokens
        first = tokens // self.row_tokens
        planned = [self.rows[n] if n < len(self.rows) else () for n in range(first, first + rows)]
        shape = len(planned[own]), self.row_tokens
        batch = Batch(
            tokens=np.full(shape, PADDING, dtype=np.int32),
            positions=np.zeros(shape, dtype=np.int32),
            predicted=np.zeros(shape, dtype=np.bool_),
            totals=self._totals(planned),
        )
        for number, row in enumerate(planned[own]):
            self._fill(batch, number, row)
        return batch, Position(tokens=(tokens + rows * self.row_tokens,), cursors=())

    def tokens_per_source(self, position: Position) -> dict[str, int]:
        """Tokens given so far, including padding."""
        return dict(zip(self.names, position.tokens, strict=True))

    def epochs(self, position: Position) -> dict[str, float]:
        """None: a fine-tuning reads its records as often as its settings say."""
        return {}

    def _totals(self, planned: list[Row]) -> Totals:
        """The rest of a row is a text in which nothing is predicted."""
        predicted, texts = 0, list[int]()
        for row in planned:
            records = [self.records.read(record) for record in row]
            lengths = [len(record.ids) for record in records]
            texts += [*lengths, self.row_tokens - sum(lengths)]
            predicted += sum(int(record.predicted[1:].sum()) for record in records)
        return Totals(predicted, Totals.of_texts(texts).preceding)

    def _fill(self, batch: Batch, number: int, planned: Row) -> None:
        assert batch.predicted is not None
        at = 0
        for record in planned:
            tokens = self.records.read(record)
            own = slice(at, at + len(tokens.ids))
            batch.tokens[number, own] = tokens.ids
            batch.predicted[number, own] = tokens.predicted
            batch.positions[number, own] = np.arange(len(tokens.ids))
            at = own.stop
        batch.positions[number, at:] = np.arange(self.row_tokens - at)
