"""Options that several commands share, and options that correspond to fields of a manifest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from lccp.api.objects.policy import Policy
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


def checkpoint_tokens(text: str, option: str) -> int:
    """As `token_budget`, or 0 for the base model. Raises InvalidInput, naming the option."""
    from lccp.contract.errors import InvalidInput
    from lccp.contract.quantities import TOKENS

    try:
        return TOKENS.parse_or_zero(text)
    except ValueError as error:
        raise InvalidInput(f"{option}: {error}") from None


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
        return adapter.validate_python(text)
    except ValidationError as error:
        raise InvalidInput(sentence(error, option)) from None


def trained(
    policy: "Policy",
    budget: str | None,
    warmup_tokens: str | None,
    schedule: str | None,
    newest: int = 0,
) -> "Policy":
    """`policy` of a run trained like this; a guessed horizon is replaced by the budget's.

    Raises InvalidInput, naming the option, if the budget or the warm-up contradicts the `newest`
    checkpoint's tokens (0: not checked).
    """
    from lccp.api.spec.saturation import horizon_of_budget
    from lccp.contract.errors import InvalidInput

    update: dict[str, object] = {}
    if budget is not None:
        tokens = token_budget(budget, "--budget")
        if tokens + policy.rounding_tokens < newest:
            raise InvalidInput(
                f"--budget: must be at least {newest}, the tokens of the newest checkpoint"
            )
        update["budget_tokens"] = tokens
        if policy.horizon_source != "Given":
            update |= {"horizon_tokens": horizon_of_budget(tokens), "horizon_source": "Budget"}
    if warmup_tokens is not None:
        tokens = token_budget(warmup_tokens, "--warmup-tokens")
        if 0 < newest <= tokens:
            raise InvalidInput(
                f"--warmup-tokens: must be less than {newest}, the tokens of the newest "
                "checkpoint: only checkpoints after the warm-up are judged"
            )
        update["warmup_tokens"] = tokens
    if schedule is not None:
        update["constant_schedule"] = schedule == "Constant"
    return policy.model_copy(update=update)


def changed(policy: "Policy", given: "Mapping[str, object]") -> "Policy":
    """`policy` with the given options, validated as in a manifest.

    Raises InvalidInput, naming the option, also if the horizon exceeds a known budget.
    """
    from lccp.api.spec.saturation import SaturationSpec
    from lccp.contract.errors import InvalidInput

    spec, budget = checked(SaturationSpec, given), policy.budget_tokens
    if spec.horizon_tokens is not None and budget is not None and spec.horizon_tokens > budget:
        raise InvalidInput(
            f"--horizon-tokens: must be at most {budget}, the tokens that the run may train"
        )
    update = {name: getattr(spec, name) for name in given}
    if "horizon_tokens" in update:
        update["horizon_source"] = "Given"
    return policy.model_copy(update=update)
