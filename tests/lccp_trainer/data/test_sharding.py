"""One file becomes one shard, which is recognized later."""

import json
from pathlib import Path

import pytest
from word_tokenizer import END, Words

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput, LccpError
from lccp_trainer.data.sharding import NONE_LEFT_OUT, BadDocuments, ShardTask, tokenized

SOURCE = DataSource.parse({"name": "a", "kind": "Long", "path": "a"}, "source")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.jsonl"
    file.write_text('{"text": "1 2"}\nno json\n{"text": "3"}\n')
    return file


def task(file: Path, bad: BadDocuments = NONE_LEFT_OUT, digest: str = "digest") -> ShardTask:
    return ShardTask(SOURCE, file, file.parent, 0, Words, digest, "data.sources[0]", bad)


def test_a_text_ends_with_the_end_token_once() -> None:
    texts = tokenized(["1 2", f"3 {END}"], Words())
    assert [ids.tolist() for ids in texts] == [[1, 2, END], [3, END]]
    assert list(tokenized([], Words())) == []


def test_bytes_of_text_are_told_and_documents_that_may_be_left_out_are_counted(file: Path) -> None:
    told: list[tuple[int, int]] = []
    file.write_text("".join(json.dumps({"text": "1"}) + "\n" for _ in range(300)) + "no json\n")
    record = task(file, BadDocuments(1)).run(lambda *at: told.append(at))
    assert (record.documents, record.tokens, record.skipped) == (300, 600, 1)
    assert told == [(0, 256)]


def test_one_document_too_many_is_named(file: Path) -> None:
    with pytest.raises(InvalidInput, match=r"a\.jsonl, line 2: is not JSON.*badDocumentsMax"):
        task(file).run(lambda *_: None)


def test_a_shard_is_known_again_but_not_with_another_tokenizer_or_file(file: Path) -> None:
    record = task(file, BadDocuments(1)).run(lambda *_: None)
    assert task(file, BadDocuments(1)).done() == record
    assert task(file).done() is None
    assert task(file, BadDocuments(1), "another").done() is None
    file.write_text('{"text": "1 2 3 4 5 6 7"}\n')
    assert task(file, BadDocuments(1)).done() is None


def test_a_shard_that_can_not_be_written_is_said(file: Path) -> None:
    (file.parent / "shard-00000.tokens").mkdir()
    with pytest.raises(LccpError, match=r"can't be written: Is a directory"):
        task(file, BadDocuments(1)).run(lambda *_: None)
