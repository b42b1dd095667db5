"""Objects of the store: JSON in and out, and schema versions."""

from typing import ClassVar

import pytest

from lccp.api.objects.base import StoreObject
from lccp.contract.errors import Incompatible, InvalidInput


class Third(StoreObject):
    """Version 1 called `count` `number`, version 2 counted from 1."""

    SCHEMA_VERSION: ClassVar[int] = 3
    UPGRADES: ClassVar = {
        1: lambda old: {"count": old["number"]},
        2: lambda old: old | {"count": old["count"] - 1},
    }

    schema_version: int = 3
    count: int
    note: str = ""


def test_equal_objects_give_equal_bytes_that_people_can_read() -> None:
    data = Third(count=1, note="é").to_json()

    assert data == Third(note="é", count=1).to_json()
    assert data.decode() == '{\n "schemaVersion": 3,\n "count": 1,\n "note": "é"\n}\n'
    assert Third.from_json(data, "key") == Third(count=1, note="é")


def test_fields_of_a_newer_writer_are_left_out_and_missing_ones_take_their_default() -> None:
    assert Third.from_json(b'{"schemaVersion": 3, "count": 1, "new": []}', "k") == Third(count=1)


@pytest.mark.parametrize(
    "data", [b'{"schemaVersion": 1, "number": 5}', b'{"schemaVersion": 2, "count": 5}']
)
def test_an_older_version_is_brought_up_step_by_step(data: bytes) -> None:
    assert Third.from_json(data, "key") == Third(count=4)


@pytest.mark.parametrize("version", ["4", "0", "null", '"3"'])
def test_a_version_that_is_not_known_is_refused_with_what_would_read_it(version: str) -> None:
    with pytest.raises(
        Incompatible, match=r"^key: has schema version .*reads Third up to version 3"
    ):
        Third.from_json(f'{{"schemaVersion": {version}, "count": 1}}'.encode(), "key")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"schemaVersion": 3, "count', "is not JSON: it is damaged or cut short"),
        (b"", "is not JSON"),
        (b"[3]", "is not a JSON object"),
        (b'{"schemaVersion": 1}', "is not a Third of schema version 1: it is damaged"),
        (b'{"schemaVersion": 2, "count": "x"}', "is not a Third of schema version 2"),
        (b'{"schemaVersion": 3}', "count: is required"),
    ],
)
def test_a_damaged_object_is_named_by_its_key(data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=f"^key: {sentence}") as refused:
        Third.from_json(data, "key")
    assert not isinstance(refused.value, Incompatible)
