"""Numbers as manifests write them: context lengths, token counts, decimals.

Kubernetes has no floats in a spec, so a number that is not an integer is a string ("1.2e-5").
Context lengths count in powers of two (`64K` = 65,536), token counts in powers of ten (`16M`).
"""

import operator
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

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
"""A length in tokens: an integer, or one with a binary suffix (`64K` = 65,536, `1M` = 1,048,576)."""

TokenBudget = Annotated[
    int,
    BeforeValidator(_tokens),
    Field(ge=1, le=TOKENS_MAX),
    WithJsonSchema(_int_or_string(TOKENS_PATTERN, 1, TOKENS_MAX)),
]
"""A number of tokens: an integer, or one with a decimal suffix (`16M`, `200B`, `1T`)."""


def _decimal(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError(f'must be a decimal number in quotes, such as "1.2e-5", not {value!r}')
    if not re.match(DECIMAL_PATTERN, value):
        raise ValueError(f'must be a decimal number such as "0.25" or "1.2e-5", not {value!r}')
    return float(value)


def decimal(
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A decimal number written as a string, within bounds that the type and the API server check."""
    bounds = {">=": ge, ">": gt, "<=": le, "<": lt}
    given = [(sign, bound) for sign, bound in bounds.items() if bound is not None]
    words = " and ".join(f"{sign} {bound:g}" for sign, bound in given)

    def within(value: Any) -> float:
        number = _decimal(value)
        if not all(COMPARISONS[sign](number, bound) for sign, bound in given):
            raise ValueError(f"must be {words}, not {value!r}")
        return number

    rule = " && ".join(f"double(self) {sign} {float(bound)!r}" for sign, bound in given)
    schema: dict[str, Any] = {"type": "string", "pattern": DECIMAL_PATTERN, "maxLength": 37}
    if rule:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": f"must be {words}"}]
    return Annotated[
        float, BeforeValidator(within), PlainSerializer(decimal_string), WithJsonSchema(schema)
    ]


def decimal_string(value: float) -> str:
    """The shortest text that reads back as `value`."""
    return repr(value) if value != int(value) or abs(value) >= 1e15 else str(int(value))
