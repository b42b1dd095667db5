"""Documents in every format, and unreadable ones named with their fault."""

import bz2
import gzip
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.documents import (
    Document,
    files_of,
    read_documents,
)
from lccp_trainer.data.lines import Unreadable

WHERE = "data.sources[0]"


def a_source(**fields: Any) -> DataSource:
    return DataSource.parse({"name": "a", "kind": "Long", "path": "a"} | fields, "source")


def lines(*texts: str) -> bytes:
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def damaged_in_its_middle(packed: bytes) -> bytes:
    """What zlib refuses, behind a header that is right."""
    return packed[:10] + b"\xff" * 20 + packed[30:]


def read(path: Path, **fields: Any) -> list[str]:
    found = [
        one for file in files_of(path, WHERE) for one in read_documents(a_source(**fields), file)
    ]
    assert all(isinstance(one, Document) for one in found), found
    return [one.text for one in found if isinstance(one, Document)]


def test_a_folder_is_read_in_the_order_of_names_packed_or_not(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "1.jsonl").write_bytes(lines("third") + b"\n  \n" + lines("fourth")[:-1])
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines("first", "secönd")))
    (folder / ".hidden").write_text("no document")
    assert read(folder) == ["first", "secönd", "third", "fourth"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packing_is_known_by_content_not_by_name(tmp_path: Path, pack: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(pack(lines("one", "two")))
    assert read(tmp_path) == ["one", "two"]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    real, folder = tmp_path / "real", tmp_path / "data"
    real.mkdir()
    folder.mkdir()
    (real / "1.jsonl").write_bytes(lines("linked"))
    (real / "round").symlink_to(folder)
    (folder / "link").symlink_to(real)
    assert read(folder) == ["linked"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines("one"))
    assert read(tmp_path) == ["one"]


def test_a_text_file_is_one_document(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("one\ntwo\n")
    (tmp_path / "2.txt.gz").write_bytes(gzip.compress(b"three"))
    assert read(tmp_path, format="Text") == ["one\ntwo\n", "three"]


def test_the_text_may_lie_in_another_field(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"content": "here"}\n')
    assert read(tmp_path, textField="content") == ["here"]


def test_a_row_of_a_table_is_a_document(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "text": ["one", "two"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, tmp_path / "b.arrow", compression="uncompressed")
    assert read(tmp_path / "a.parquet", format="Parquet") == ["one", "two"]
    assert read(tmp_path / "b.arrow", format="Arrow") == ["one", "two"]


def test_a_column_that_holds_no_text_is_named(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": [b"x"]}), tmp_path / "a.parquet")
    (bad,) = read_documents(a_source(format="Parquet"), tmp_path / "a.parquet")
    assert isinstance(bad, Unreadable)
    assert bad.reason.startswith('its field "text" holds "b\'x\'" and no text')


PARQUET = b"PAR1" + bytes(20)
FAULTS = {
    "no JSON": (lines("a") + b"\nno json\n", "line 3: is not JSON; is the format right?"),
    "empty file": (b"", "is empty"),
    "blank lines": (b"\n \n", "is empty"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "no such field": (b'{"body": "x"}\n', 'line 1: has no field "text"'),
    "a number": (b'{"text": 3}\n', 'line 1: its field "text" holds 3 and no text'),
    "null": (b'{"text": null}\n', 'line 1: its field "text" holds null and no text'),
    "a list": (b'["x"]\n', "line 1: begins a JSON array: write one object per line"),
    "a text": (b'"x"\n', "line 1: is not a JSON object; is the format right?"),
    "damaged gzip": (damaged_in_its_middle(gzip.compress(lines("x"))), "can't be read"),
    "cut gzip": (gzip.compress(lines("x" * 10_000))[:40], "can't be read"),
    "half a surrogate": (b'{"text": "\\ud800"}\n', "contains half of a surrogate pair"),
    "Latin-1": ('{"text": "é"}\n'.encode("latin-1"), "line 1: is not UTF-8 text (byte 0xe9)"),
    "UTF-16": (lines("x").decode().encode("utf-16"), "is UTF-16 text: save it as UTF-8"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(9), "is compressed with zstd"),
    "Parquet": (PARQUET, "is a Parquet file: set format to Parquet"),
}


@pytest.mark.parametrize(("content", "sentence"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    (bad,) = [one for one in read_documents(a_source(), path) if isinstance(one, Unreadable)]
    assert sentence in f"{bad.place}: {bad.reason}"


def test_a_table_without_the_column_names_those_that_it_has(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"id": [1], "body": ["x"]}), tmp_path / "a.parquet")
    (bad,) = read_documents(a_source(format="Parquet"), tmp_path / "a.parquet")
    assert isinstance(bad, Unreadable)
    assert bad.reason == 'has no column "text", but id, body: is textField right?'


def test_a_pipe_among_the_files_is_named_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines("good"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match=r"^data\.sources\[0\]\.path: .*/pipe is a pipe, socket"):
        files_of(tmp_path, WHERE)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_path_without_files_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match=r"neither a file nor a folder|contains no files"):
        files_of(tmp_path / name, WHERE)
