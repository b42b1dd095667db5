from collections.abc import Iterator
from pathlib import Path

import pytest
from chat import byte_tokenizer

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.records.folder import RecordFolder, RecordsSummary, Rules, is_ready, prepare
from lccp_trainer.data.records.reading import Completion, Read, Unusable

TOKENIZER = byte_tokenizer()
ROW = 32


def records(count: int) -> Iterator[Read]:
    for number in range(count):
        yield f"line {number}", Completion("the question " * (number % 3), f"answer {number}")


def prepared(folder: Path, read: Iterator[Read], left_out_max: int = 0) -> RecordsSummary:
    rules = Rules(template=None, row_tokens=ROW, left_out_max=left_out_max, where="sft.path")
    return prepare(read, TOKENIZER, rules, folder)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    summary = prepared(folder, records(600))
    assert is_ready(folder)
    opened = RecordFolder(folder)
    assert opened.summary == summary
    assert (summary.records, summary.left_out) == (600, 0)
    for number in (0, 1, 599):
        tokens = opened.read(number)
        assert len(tokens.ids) == opened.lengths[number]
        text = "the question " * (number % 3) + f"answer {number}<eos>"
        assert TOKENIZER.decode(tokens.ids) == text
    predicted = sum(int(opened.read(number).predicted.sum()) for number in range(600))
    assert predicted == summary.predicted_tokens


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    first, same, other = (
        prepared(tmp_path / n, records(c)) for n, c in zip("abc", (5, 5, 6), strict=True)
    )
    assert first.digest == same.digest != other.digest


def test_what_can_not_be_used_is_counted_and_bounded(tmp_path: Path) -> None:
    def read() -> Iterator[Read]:
        yield from records(1)
        yield "line 1", Unusable("is not JSON")
        yield "line 2", Completion("the question " * 40, "answer")

    assert prepared(tmp_path / "two", read(), left_out_max=2).left_out == 2
    sentence = r"^sft.path: line 1: is not JSON: correct it, or raise sft.badRecordsMax$"
    with pytest.raises(InvalidInput, match=sentence):
        prepared(tmp_path / "none", read())
    sentence = r"^sft.path: line 2: has \d+ tokens, and a row 32: .*\(1 before it were left out\)"
    with pytest.raises(InvalidInput, match=sentence):
        prepared(tmp_path / "one", read(), left_out_max=1)
    assert not is_ready(tmp_path / "one")


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^sft.path: there is no usable record"):
        prepared(tmp_path / "records", iter(()))
