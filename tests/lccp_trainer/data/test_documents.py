import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.documents import check_documents, open_documents

WHERE = "data.sources[0]"


def a_source(**fields: Any) -> DataSource:
    return DataSource.parse({"name": "a", "kind": "Long", "path": "a"} | fields, "source")


def lines(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def texts(source: DataSource, path: Path, scratch: Path) -> list[str]:
    documents = open_documents(source, path, WHERE, scratch)
    return [documents.text(number) for number in range(len(documents))]


def test_a_folder_of_json_lines_is_read_in_the_order_of_names_packed_or_not(tmp_path: Path) -> None:
    folder, scratch = tmp_path / "data", tmp_path / "scratch"
    (folder / "b").mkdir(parents=True)
    scratch.mkdir()
    (folder / "b" / "1.jsonl").write_bytes(lines("third") + b"\n  \n" + lines("fourth")[:-1])
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines("first", "secönd")))
    (folder / ".hidden").write_text("no document")
    found = texts(a_source(), folder, scratch)
    assert found == ["first", "secönd", "third", "fourth"]


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("one\ntwo\n")
    (tmp_path / "2.txt.gz").write_bytes(gzip.compress(b"three"))
    assert texts(a_source(format="Text"), tmp_path, tmp_path) == ["one\ntwo\n", "three"]


def test_the_text_may_lie_in_another_field(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"content": "here"}\n')
    assert texts(a_source(textField="content"), path, tmp_path) == ["here"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.jsonl", b"no json\n", "a.jsonl, line 1: is not JSON"),
        ("a.jsonl", b"", "is not JSON"),
        ("a.jsonl", b'{"body": "x"}\n', 'has no text in a field "text"'),
        ("a.jsonl", b'{"text": 3}\n', 'has no text in a field "text"'),
        ("a.jsonl", b'["x"]\n', 'has no text in a field "text"'),
        ("a.jsonl.gz", gzip.compress(lines("x" * 10_000), mtime=0)[:40], "can't be read"),
        ("a.jsonl.gz", lines("plain"), "can't be read"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"^data\.sources\[0\]\.(path|textField): ") as error:
        check_documents(a_source(), path, WHERE)
    assert sentence in str(error.value)


def test_what_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InvalidInput, match=str(path)):
            check_documents(a_source(), path, WHERE)


def test_a_bad_line_further_down_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines("good") + b"bad\n")
    documents = open_documents(a_source(), path, WHERE, tmp_path)
    assert documents.text(0) == "good"
    with pytest.raises(InvalidInput, match=r"a\.jsonl, document 2: is not JSON"):
        documents.text(1)
