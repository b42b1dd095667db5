"""Lines of files, and their possible faults."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from lccp_trainer.data.lines import (
    ARRAY,
    STRANGERS,
    Unreadable,
    json_object,
    lines_of,
    text_fault,
)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_lines_are_read_packed_or_not_without_a_byte_order_mark(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(pack(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo"))

    assert list(lines_of(path)) == [b"one\n", b"\xef\xbb\xbftwo"]


def test_a_file_that_breaks_off_gives_its_lines_and_then_its_fault(tmp_path: Path) -> None:
    path = tmp_path / "a"
    text = b"".join(b"line %d\n" % number for number in range(50_000))
    path.write_bytes(gzip.compress(text)[:-40_000])

    *lines, fault = lines_of(path)

    assert lines[0] == b"line 0\n"
    assert isinstance(fault, Unreadable)
    assert fault.place == str(path)
    assert fault.reason.startswith("can't be read: ")


@pytest.mark.parametrize("mark", STRANGERS)
def test_a_file_of_another_kind_is_named_and_not_read(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(mark + b"\n\n")

    assert list(lines_of(path)) == [Unreadable(str(path), STRANGERS[mark])]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b"[1]", ARRAY),
        (b"[\n", ARRAY),
        (b'"a"', "is not a JSON object"),
        (b"{", "is not JSON"),
        (b'{"a":' * 100_000, "is not JSON"),
        (b'{"a": "\xe9"}', "is not UTF-8 text (byte 0xe9)"),
    ],
    ids=["object", "list", "part of a list", "text", "broken", "too deep", "Latin-1"],
)
def test_a_line_is_an_object_or_says_what_is_wrong(line: bytes, found: object) -> None:
    assert json_object(line) == found


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("tëxt", None),
        (3, "holds 3 and no text"),
        ("\ud800", "contains half of a surrogate pair, which is not text"),
    ],
)
def test_text_is_text(value: object, fault: str | None) -> None:
    assert text_fault(value) == fault


def test_a_large_value_that_is_no_text_is_cut() -> None:
    fault = text_fault(["x" * 100])

    assert fault is not None
    assert len(fault) == len("holds  and no text") + 40
