"""Numbers as manifests write them: context lengths, token counts, decimals.

Kubernetes has no floats in a spec, so a number that is not an integer is a string ("1.2e-5").
Context lengths count in powers of two (`64K` = 65,536), token counts in powers of ten (`16M`).
"""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import core_schema

from lccp.contract.cel import BOUNDS, KIND, Rule, let, rules

BINARY = {"K": 2**10, "M": 2**20}
DECIMAL = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
LENGTH_MAX = 2**27
TOKENS_MAX = 10**15 - 1
TEXT_MAX = 16
LENGTH_PATTERN = "^([1-9][0-9]{0,7}|[1-9][0-9]{0,4}K|[1-9][0-9]?M)$"
TOKENS_PATTERN = (
    "^([1-9][0-9]{0,14}|[1-9][0-9]{0,11}K|[1-9][0-9]{0,8}M|[1-9][0-9]{0,5}B|[1-9][0-9]{0,2}T)$"
)
DECIMAL_LENGTH_MAX = 48
EXAMPLES = ("1.2e-5", "0.1", "0.95", "1.5", "100")
"""Decimals for messages, of which one lies within any bounds that are used."""
DECIMAL_PATTERN = r"^-?[0-9]{1,17}([.][0-9]{1,24})?([eE][-+]?[0-9]{1,3})?$"


@dataclass(frozen=True)
class Counted:
    """An integer that a manifest may write with a suffix, from 1 to `most`."""

    name: str
    what: str
    units: Mapping[str, int]
    pattern: str
    most: int

    @property
    def sentence(self) -> str:
        suffixes = ", ".join(f"{unit} = {count:,}" for unit, count in self.units.items())
        return (
            f"must be {self.what}: an integer from 1 to {self.most:,}, "
            f"or one with a suffix ({suffixes})"
        )

    def parse(self, value: Any) -> int:
        """The number that `value` is or writes; ValueError if it is not one, or out of bounds."""
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return self._number(value)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= self.most:
            return value
        raise ValueError(f"{self.sentence}, not {value!r}")

    def parse_or_zero(self, value: Any) -> int:
        """As `parse`, but 0 is one, too."""
        if value in (0, "0") and not isinstance(value, bool):
            return 0
        try:
            return self.parse(value)
        except ValueError as error:
            raise ValueError(f"must be 0 or {str(error).removeprefix('must be ')}") from None

    def _number(self, text: str) -> int:
        unit = self.units.get(text[-1])
        return int(text[:-1]) * unit if unit else int(text)

    def cel(self, name: str) -> str:
        """CEL expression for the number that the variable is or writes; -1 if it writes none.

        The field's own rule reports that; a rule over several fields must then hold.
        """
        units = " : ".join(f"{name}.endsWith('{unit}') ? {n}" for unit, n in self.units.items())
        head, suffix = f"{name}.substring(0, size({name}) - 1)", f"[{''.join(self.units)}]$"
        text = f"{name}.matches('{suffix}') ? int({head}) * ({units} : 1) : int({name})"
        valid = f"{name}.matches('{self.pattern}') ? ({text}) : -1"
        return f"(type({name}) == int ? {name} : {valid})"

    def cel_at(self, path: str) -> str:
        """CEL expression for the number at `path`."""
        return let("n", path, self.cel("n"))

    def schema(self) -> dict[str, Any]:
        """JSON schema, with the bound and the sentence of `parse`."""
        is_one = f"type(self) == int ? self >= 1 && self <= {self.most}"
        rule = Rule(f"{is_one} : self.matches('{self.pattern}')", self.sentence)
        return {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": TEXT_MAX,
            KIND: self.name,
            **rules(rule),
        }


LENGTH = Counted("length", "a length in tokens", BINARY, LENGTH_PATTERN, LENGTH_MAX)
TOKENS = Counted("tokens", "a number of tokens", DECIMAL, TOKENS_PATTERN, TOKENS_MAX)

ContextLength = Annotated[int, BeforeValidator(LENGTH.parse), WithJsonSchema(LENGTH.schema())]
"""A length in tokens: an integer, or one with a binary suffix (`64K` = 65,536)."""

TokenBudget = Annotated[int, BeforeValidator(TOKENS.parse), WithJsonSchema(TOKENS.schema())]
"""A number of tokens: an integer, or one with a decimal suffix (`16M`, `200B`, `1T`)."""


@dataclass(frozen=True)
class Decimal:
    """A float that a manifest writes as a string; type and API server check its bounds."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    @staticmethod
    def cel(path: str) -> str:
        """CEL expression for the number that the text at `path` writes; -1.0 if it writes none."""
        return f"({path}.matches('{DECIMAL_PATTERN}') ? double({path}) : -1.0)"

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(
            self.parse,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(decimal_string),
        )

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        tests = [f"self.matches('{DECIMAL_PATTERN}')"]
        tests += [f"double(self) {sign} {bound!r}" for sign, bound in self.bounds()]
        return {
            "type": "string",
            "maxLength": DECIMAL_LENGTH_MAX,
            KIND: "decimal",
            BOUNDS: self.words(),
            **rules(Rule(" && ".join(tests), self.sentence)),
        }

    def bounds(self) -> list[tuple[str, float]]:
        """The given bounds, as (sign, bound)."""
        signs = {">=": self.ge, ">": self.gt, "<=": self.le, "<": self.lt}
        return [(sign, float(bound)) for sign, bound in signs.items() if bound is not None]

    def words(self) -> str:
        """The bounds as text: `> 0 and <= 1`."""
        return " and ".join(f"{sign} {bound:,.12g}" for sign, bound in self.bounds())

    @property
    def sentence(self) -> str:
        bounds = self.words()
        example = next(text for text in EXAMPLES if self._within(float(text)))
        return f'must be a decimal number{bounds and " " + bounds} in quotes, such as "{example}"'

    def parse(self, value: Any) -> float:
        """The number that the string `value` writes; ValueError if it is not one, or out of
        bounds."""
        if isinstance(value, str) and re.fullmatch(DECIMAL_PATTERN, value):
            number = float(value)
            if self._within(number):
                return number
        raise ValueError(f"{self.sentence}, not {value!r}")

    def _within(self, number: float) -> bool:
        return all(COMPARISONS[sign](number, bound) for sign, bound in self.bounds())


def decimal_string(value: float) -> str:
    """The shortest text that reads back as `value`."""
    return repr(value) if value != int(value) or abs(value) >= 1e15 else str(int(value))


def shortened(tokens: int) -> str:
    """`tokens` in at most five characters, for a table: 819,200 is `819K`, 2,500,000 `2.5M`."""
    for unit, count in reversed(DECIMAL.items()):
        if tokens >= count:
            return f"{min(tokens / count, 999):.3g}{unit}"
    return str(tokens)
