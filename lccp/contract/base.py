"""The base of every type in the contract, and the wording of its errors."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from lccp.contract.errors import InvalidInput

MESSAGE_LENGTH_MAX = 1_024


def cut(text: str) -> str:
    """`text`, a message for people, cut to the length that etcd and events allow."""
    return text if len(text) <= MESSAGE_LENGTH_MAX else f"{text[: MESSAGE_LENGTH_MAX - 1]}…"


def _cut(value: Any) -> Any:
    return cut(value) if isinstance(value, str) else value


Message = Annotated[str, BeforeValidator(_cut), Field(max_length=MESSAGE_LENGTH_MAX)]
"""A message for people, cut to the allowed length."""


class Contract(BaseModel):
    """An immutable value of the contract: camelCase outside, no unknown field."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        ser_json_inf_nan="strings",
    )

    @classmethod
    def parse(cls, document: Any, where: str) -> Self:
        """`document` (parsed JSON or YAML) as this type; `where` names it in errors."""
        return cls._parsed(document, where)

    @classmethod
    def parse_stored(cls, document: Any, where: str) -> Self:
        """A stored `document`: fields that this version does not know are left out."""
        return cls._parsed(document, where, extra="ignore")

    @classmethod
    def _parsed(
        cls,
        document: Any,
        where: str,
        by_name: bool = True,
        extra: Literal["ignore"] | None = None,
    ) -> Self:
        try:
            return cls.model_validate(document, by_alias=True, by_name=by_name, extra=extra)
        except ValidationError as error:
            raise InvalidInput(sentence(error, where)) from None

    def document(self) -> dict[str, Any]:
        """This value as plain JSON types, under its external names, without unset optionals."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def sentence(error: ValidationError, where: str) -> str:
    """The first fault of `error` as one sentence with its field path, and the number of others."""
    faults = error.errors(include_url=False)
    first = faults[0]
    path = field_path(first["loc"])
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{where}: {path + ': ' if path else ''}{_reason(first)}{more}"


def field_path(location: tuple[int | str, ...]) -> str:
    """('data', 'sources', 0, 'weight') as `data.sources[0].weight`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.lstrip(".")


def _reason(fault: Any) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return "there is no such field; docs/reference/lccprun.md lists all fields"
        case "missing":
            return "is required"
        case "value_error":
            return str(fault["ctx"]["error"])
        case _:
            return f"{fault['msg'][0].lower()}{fault['msg'][1:]}, not {fault['input']!r}"
