"""One column of a table, a few rows at a time."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.tables import ROWS_AT_ONCE, NotRead, column

TABLE = pa.table({"id": [1, 2], "text": ["one", None]})
FORMS = ("Parquet", "Arrow")


def write(path: Path, form: str, table: pa.Table) -> Path:
    if form == "Parquet":
        parquet.write_table(table, path)
    else:
        feather.write_feather(table, path, compression="uncompressed")
    return path


@pytest.mark.parametrize("form", FORMS)
def test_values_come_row_by_row(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "a", form, TABLE)

    assert list(column(path, form, "text")) == ["one", None]
    assert list(column(path, form, "id")) == [1, 2]


def test_more_rows_than_are_read_at_once_stay_in_order(tmp_path: Path) -> None:
    numbers = list(range(2 * ROWS_AT_ONCE + 1))
    for form in FORMS:
        path = write(tmp_path / form, form, pa.table({"n": numbers}))
        assert list(column(path, form, "n")) == numbers


def test_the_stream_format_of_arrow_is_read(tmp_path: Path) -> None:
    with pa.ipc.new_stream(tmp_path / "a.arrow", TABLE.schema) as writer:
        writer.write_table(TABLE)

    assert list(column(tmp_path / "a.arrow", "Arrow", "id")) == [1, 2]


def most_allocated(path: Path, form: str, groups: int) -> int:
    """Bytes of Arrow's memory that reading a table of so many groups of rows takes at most."""
    rng, schema = np.random.default_rng(0), pa.schema([("text", pa.string())])
    opened = parquet.ParquetWriter if form == "Parquet" else pa.ipc.new_file
    with opened(path, schema) as writer:
        for _ in range(groups):
            texts = [rng.bytes(500).hex() for _ in range(512)]
            writer.write_table(pa.table({"text": texts}))
    before = pa.total_allocated_bytes()
    return max(pa.total_allocated_bytes() - before for _ in column(path, form, "text"))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_a_table(tmp_path: Path, form: str) -> None:
    small, large = (most_allocated(tmp_path / "a", form, groups) for groups in (8, 32))

    assert large < 1.5 * small + 1_000_000


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_table_is_not_read(tmp_path: Path, form: str) -> None:
    (tmp_path / "a").write_bytes(b"PAR1ARROW1" + bytes(99))

    with pytest.raises(NotRead, match=r"^can't be read: [^\n]+$"):
        list(column(tmp_path / "a", form, "text"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoded", [False, True], ids=["plain", "by a dictionary"])
def test_text_that_is_not_utf_8_comes_as_bytes_among_the_rest(
    tmp_path: Path, form: str, encoded: bool
) -> None:
    text = pa.array([b"tea", b"caf\xe9", None]).view(pa.string())
    column_of_text = text.dictionary_encode() if encoded else text
    path = write(tmp_path / "a", form, pa.table({"text": column_of_text}))

    assert list(column(path, form, "text")) == ["tea", b"caf\xe9", None]


def test_lists_of_text_that_is_not_utf_8_are_not_read(tmp_path: Path) -> None:
    lists = pa.ListArray.from_arrays([0, 1], pa.array([b"caf\xe9"]).view(pa.string()))
    path = write(tmp_path / "a", "Parquet", pa.table({"text": lists}))

    with pytest.raises(NotRead, match=r"^can't be read: "):
        list(column(path, "Parquet", "text"))


@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_is_there_twice_is_not_read(tmp_path: Path, form: str) -> None:
    twice = pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    path = tmp_path / "a"
    if form == "Parquet":
        parquet.write_table(twice, path)
    else:
        with pa.ipc.new_file(path, twice.schema) as writer:
            writer.write_table(twice)

    with pytest.raises(NotRead, match=r'^has 2 columns "text": leave one of them$'):
        list(column(path, form, "text"))


@pytest.mark.parametrize("form", FORMS)
def test_a_table_without_the_column_names_those_that_it_has(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "a", form, pa.table({"id": [1], "body": ["x"]}))

    with pytest.raises(
        NotRead, match=r'^has no column "text", but id, body: is textField right\?$'
    ):
        list(column(path, form, "text"))


def test_without_pyarrow_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(InvalidInput, match=r"pip install -e '.\[data\]' in the checkout$"):
        list(column(tmp_path / "a", "Parquet", "text"))
