"""Options that several commands share, and options that correspond to fields of a manifest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from lccp.contract.base import Contract

Endpoint = Annotated[
    str | None, typer.Option(envvar="LCCP_S3_ENDPOINT", help="Endpoint of an s3:// store.")
]

RunTarget = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, a folder that contains report.json files at any depth, or "
        "<store URL>/<namespace>/<name>.",
    ),
]

T = TypeVar("T", bound="Contract")
IN_A_MANIFEST = " in quotes"
NAMES = {"depths_percent": "--depths"}
"""Options whose name differs from their field."""


def checked(kind: type[T], given: Mapping[str, object]) -> T:
    """`given`, by field name, as a `kind`. Raises InvalidInput, naming the option."""
    from pydantic import ValidationError

    from lccp.contract.base import sentence
    from lccp.contract.errors import InvalidInput

    try:
        return kind.model_validate(given)
    except ValidationError as error:
        location = error.errors(include_url=False)[0]["loc"]
        text = sentence(error, "options").removeprefix("options: ").replace(IN_A_MANIFEST, "")
        if not location:
            raise InvalidInput(text) from None
        place, _, reason = text.partition(": ")
        field = str(location[0])
        option = NAMES.get(field, f"--{field.replace('_', '-')}")
        raise InvalidInput(f"{option}{place.removeprefix(field)}: {reason}") from None


def token_budget(text: str, option: str) -> int:
    """`200B` or an integer as a number of tokens. Raises InvalidInput, naming the option."""
    from lccp.contract.quantities import TokenBudget

    return _quantity(TokenBudget, text, option)


def length(text: str, option: str) -> int:
    """`64K` or an integer as a number of tokens. Raises InvalidInput, naming the option."""
    from lccp.contract.quantities import ContextLength

    return _quantity(ContextLength, text, option)


def _quantity(kind: Any, text: str, option: str) -> int:
    from pydantic import TypeAdapter, ValidationError

    from lccp.contract.base import sentence
    from lccp.contract.errors import InvalidInput

    adapter: TypeAdapter[int] = TypeAdapter(kind)
    try:
        return adapter.validate_python(int(text) if text.isdecimal() else text)
    except ValidationError as error:
        raise InvalidInput(sentence(error, option)) from None
