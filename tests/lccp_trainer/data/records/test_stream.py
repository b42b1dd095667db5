"""The batches of a fine-tuning follow only from their position."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from chat import byte_tokenizer

from lccp_trainer.data.records.folder import RecordFolder, RecordsSummary, Rules, prepare
from lccp_trainer.data.records.reading import Completion, Read
from lccp_trainer.data.records.rows import planned_rows
from lccp_trainer.data.records.stream import RecordStream
from lccp_trainer.data.stream import Totals
from lccp_trainer.parallel.shard import IGNORED, following

TOKENIZER = byte_tokenizer()


ROW = 32


def records(count: int) -> Iterator[Read]:
    for number in range(count):
        yield f"line {number}", Completion("the question " * (number % 3), f"answer {number}")


def prepared(folder: Path, read: Iterator[Read], left_out_max: int = 0) -> RecordsSummary:
    rules = Rules(template=None, row_tokens=ROW, left_out_max=left_out_max, where="sft.path")
    return prepare(read, TOKENIZER, rules, folder)


def test_the_batches_hold_every_record_once_an_epoch_and_then_padding(tmp_path: Path) -> None:
    prepared(tmp_path / "records", records(50))
    opened = RecordFolder(tmp_path / "records")
    rows = planned_rows(opened.lengths.tolist(), ROW, epochs=2, seed=0)
    stream = RecordStream(opened, rows, ROW)
    position, seen = stream.start(), []
    for _ in range(len(rows) // 4 + 2):
        batch, position = stream.next_batch(position, 4)
        assert batch.predicted is not None
        for tokens, positions, predicted in zip(
            batch.tokens, batch.positions, batch.predicted, strict=True
        ):
            starts = [*np.flatnonzero(positions == 0), ROW]
            for start, end in pairwise(starts):
                assert positions[start:end].tolist() == list(range(end - start))
                if predicted[start:end].any():
                    seen.append(tokens[start:end].tobytes())
                else:
                    assert not tokens[start:end].any()
    written = [opened.read(number).ids.tobytes() for number in range(50)]
    assert sorted(seen) == sorted(written * 2)
    assert stream.tokens_per_source(position) == {"records": (len(rows) // 4 + 2) * 4 * ROW}


def test_a_batch_follows_from_its_position_alone(tmp_path: Path) -> None:
    prepared(tmp_path / "records", records(50))
    opened = RecordFolder(tmp_path / "records")
    rows = planned_rows(opened.lengths.tolist(), ROW, epochs=1, seed=0)
    stream = RecordStream(opened, rows, ROW)
    _, position = stream.next_batch(stream.start(), 3)
    later, _ = stream.next_batch(position, 2)
    both, _ = stream.next_batch(stream.start(), 5)
    assert np.array_equal(both.tokens[3:], later.tokens)


def test_every_process_knows_what_all_rows_of_a_step_predict(tmp_path: Path) -> None:
    prepared(tmp_path / "records", records(50))
    opened = RecordFolder(tmp_path / "records")
    rows = planned_rows(opened.lengths.tolist(), ROW, epochs=1, seed=0)
    stream = RecordStream(opened, rows, ROW)

    own, _ = stream.next_batch(stream.start(), len(rows) + 2, slice(1, 2))
    whole, _ = stream.next_batch(stream.start(), len(rows) + 2)

    predicted = following(whole.tokens, whole.positions, whole.predicted) != IGNORED
    assert own.totals == Totals(int(predicted.sum()), int(whole.positions.sum()))
