"""Numbers and times that some reader could not take are refused."""

from typing import Any

import pytest

from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.contract.scalars import EARLIEST, Int64, Time


class Value(Contract):
    number: Int64 = 0
    at: Time = EARLIEST


@pytest.mark.parametrize("number", [0, -(2**63), 2**63 - 1])
def test_every_int64_is_one(number: int) -> None:
    assert Value.parse({"number": number}, "value").number == number


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59+00:00"])
def test_every_time_of_two_centuries_is_one(at: str) -> None:
    assert Value.parse({"at": at}, "value").at.isoformat().startswith(at[:19])


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("number", 2**63, "less than or equal to 9223372036854775807"),
        ("number", -(10**400), "greater than or equal to -9223372036854775808"),
        ("at", "2026-01-05T09:00:00", "should have timezone info"),
        ("at", "0001-01-01T00:00:00+14:00", "greater than or equal to 1970"),
        ("at", "9999-12-31T23:59:59Z", "less than 2200"),
    ],
)
def test_whatever_is_beyond_is_named(field: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"value: {field}: .*{said}"):
        Value.parse({field: value}, "value")
