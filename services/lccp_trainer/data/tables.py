"""Reads a column of a Parquet or Arrow file by pyarrow, with a few rows in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lccp.contract.errors import InvalidInput

ROWS_AT_ONCE = 256
BUFFER_BYTES = 2**20


class NotRead(Exception):
    """A file that is not such a table, is damaged, or has no such column."""


def column(file: Path, form: str, name: str) -> Iterator[Any]:
    """The values of the column `name`, as Python objects, row by row.

    Args:
        form: Parquet, or Arrow: a file in either of its interchange formats, file or stream.

    Raises:
        InvalidInput: pyarrow is not installed.
        NotRead: the column can't be read.
    """
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise InvalidInput(
            f"{file}: {form} is read by pyarrow, which is not installed: "
            "pip install -e '.[data]' in the checkout"
        ) from None
    try:
        yield from (_parquet if form == "Parquet" else _arrow)(file, name)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise NotRead(f"can't be read: {str(error).splitlines()[0]}") from None


def _parquet(file: Path, name: str) -> Iterator[Any]:
    """Reads without read-ahead, which would take memory in proportion to the file."""
    from pyarrow import parquet

    with parquet.ParquetFile(file, buffer_size=BUFFER_BYTES, pre_buffer=False) as table:
        _check_column(table.schema_arrow.names, name)
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=[name], use_threads=False):
            yield from _objects(batch.column(name))


def _arrow(file: Path, name: str) -> Iterator[Any]:
    import pyarrow
    from pyarrow import ipc

    with pyarrow.memory_map(str(file)) as mapped:
        try:
            table = ipc.open_file(mapped)
            batches = (table.get_batch(number) for number in range(table.num_record_batches))
        except pyarrow.ArrowInvalid:
            mapped.seek(0)
            table = batches = ipc.open_stream(mapped)
        _check_column(table.schema.names, name)
        for batch in batches:
            values = batch.column(name)
            for start in range(0, len(values), ROWS_AT_ONCE):
                yield from _objects(values.slice(start, ROWS_AT_ONCE))


def _objects(values: Any) -> list[Any]:
    """The values as Python objects; text that is not UTF-8 as bytes."""
    try:
        return list(values.to_pylist())
    except UnicodeDecodeError:
        return [_object(value) for value in values]


def _object(value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return value.cast("binary").as_py()


def _check_column(names: list[str], name: str) -> None:
    if names.count(name) > 1:
        raise NotRead(f'has {names.count(name)} columns "{name}": leave one of them')
    if name not in names:
        there = ", ".join(names)
        raise NotRead(f'has no column "{name}", but {there}: is textField right?')
