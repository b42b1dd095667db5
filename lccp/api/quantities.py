"""Numbers as manifests write them: context lengths, token counts, decimals.

Kubernetes has no floats in a spec, so a number that is not an integer is a string ("1.2e-5").
Context lengths count in powers of two (`64K` = 65,536), token counts in powers of ten (`16M`).
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

BINARY = {"": 1, "K": 2**10, "M": 2**20}
DECIMAL = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
LENGTH_MAX = 2**27
TOKENS_MAX = 10**15
LENGTH_PATTERN = "^[1-9][0-9]{0,8}[KM]?$"
TOKENS_PATTERN = "^[1-9][0-9]{0,14}[KMBT]?$"
DECIMAL_PATTERN = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?([eE][-+]?[0-9]{1,3})?$"


def _counted(value: Any, units: Mapping[str, int], what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"([1-9][0-9]{0,14})([A-Z]?)", value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        suffixes = ", ".join(f"{u} = {n:,}" for u, n in units.items() if u)
        raise ValueError(
            f"must be {what}: an integer, or one with a suffix ({suffixes}), not {value!r}"
        )
    return int(match[1]) * units[match[2]]


def _length(value: Any) -> int:
    return _counted(value, BINARY, "a length in tokens")


def _tokens(value: Any) -> int:
    return _counted(value, DECIMAL, "a number of tokens")


def _int_or_string(pattern: str, minimum: int, maximum: int) -> dict[str, Any]:
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": pattern,
        "minimum": minimum,
        "maximum": maximum,
    }


ContextLength = Annotated[
    int,
    BeforeValidator(_length),
    Field(ge=1, le=LENGTH_MAX),
    WithJsonSchema(_int_or_string(LENGTH_PATTERN, 1, LENGTH_MAX)),
]
"""A length in tokens: an integer, or one with a binary suffix (`64K` = 65,536)."""

TokenBudget = Annotated[
    int,
    BeforeValidator(_tokens),
    Field(ge=1, le=TOKENS_MAX),
    WithJsonSchema(_int_or_string(TOKENS_PATTERN, 1, TOKENS_MAX)),
]
"""A number of tokens: an integer, or one with a decimal suffix (`16M`, `200B`, `1T`)."""


@dataclass(frozen=True)
class Decimal:
    """A float that a manifest writes as a string, with bounds that type and API server check."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            self.parse,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(decimal_string),
        )

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", "pattern": DECIMAL_PATTERN, "maxLength": 37}
        rule = " && ".join(f"double(self) {sign} {bound!r}" for sign, bound in self.bounds())
        if rule:
            validation = {"rule": rule, "message": f"must be {self.words()}"}
            schema["x-kubernetes-validations"] = [validation]
        return schema

    def bounds(self) -> list[tuple[str, float]]:
        """The given bounds, as (sign, bound)."""
        signs = {">=": self.ge, ">": self.gt, "<=": self.le, "<": self.lt}
        return [(sign, float(bound)) for sign, bound in signs.items() if bound is not None]

    def words(self) -> str:
        return " and ".join(f"{sign} {bound:g}" for sign, bound in self.bounds())

    def parse(self, value: Any) -> float:
        """The number that the string `value` writes; ValueError if it is none, or out of bounds."""
        if not isinstance(value, str):
            raise ValueError(f'must be a decimal number in quotes, such as "1.2e-5", not {value!r}')
        if not re.match(DECIMAL_PATTERN, value):
            raise ValueError(f'must be a decimal number such as "0.25" or "1.2e-5", not {value!r}')
        number = float(value)
        if not all(COMPARISONS[sign](number, bound) for sign, bound in self.bounds()):
            raise ValueError(f"must be {self.words()}, not {value!r}")
        return number


def decimal_string(value: float) -> str:
    """The shortest text that reads back as `value`."""
    return repr(value) if value != int(value) or abs(value) >= 1e15 else str(int(value))
