"""Files in YAML."""

from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
from lccp.yaml_files import document, documents

SCALARS = [
    ("1e-5", 1e-5),
    ("1.5e-4", 1.5e-4),
    ("2.", 2.0),
    (".5", 0.5),
    ("-3E+2", -300.0),
    ("512", 512),
    ("-0x1F", -31),
    ("2026-01-05", "2026-01-05"),
    ("1:30", "1:30"),
    ("64K", "64K"),
    ('"1e-5"', "1e-5"),
    ("true", True),
    ("null", None),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[row[0] for row in SCALARS])
def test_scalars_are_read_as_kubectl_reads_them(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"value: {text}\n")
    (found,) = documents(path)
    assert (type(found["value"]), found["value"]) == (type(value), value)


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("a: &one {b: 1}\nc: {<<: *one, b: 2}\n", encoding="utf-8")
    assert documents(path) == [{"a": {"b": 1}, "c": {"b": 2}}]

    path.write_text("a:\n  b: 1\n  c: 2\n  b: 3\n", encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"line 4: .*the key 'b' occurs twice"):
        documents(path)


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a: 1\n---\nb: 2\n", 2)])
def test_a_file_of_no_document_or_of_several_is_refused_where_one_is_needed(
    tmp_path: Path, text: str, count: int
) -> None:
    path = tmp_path / "index.yaml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=f"contains {count} YAML documents; it must contain one"):
        document(path)
