"""Empty arguments, which a shell makes of variables without a value."""

from typing import Any

from typer.core import TyperCommand

from lccp.contract.errors import InvalidInput

MAY_BE_EMPTY = ("separator",)


class Command(TyperCommand):
    """A command that refuses empty arguments: as a path, one would be the working folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in order:
            if parameter.name not in MAY_BE_EMPTY and _is_empty(given[parameter.name]):
                otherwise = "" if parameter.required else ", or leave it out"
                raise InvalidInput(f"{_name(parameter)}: is empty: give a value{otherwise}")
        return super().parse_args(ctx, args)


def _name(parameter: Any) -> str:
    """As help names it."""
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar).rstrip(".")
        return name[1:-1] if name.startswith("[") else name
    return str(parameter.opts[0])


def _is_empty(value: Any) -> bool:
    """Whether a value, or one of several, is an empty text."""
    return value == "" or (isinstance(value, list | tuple) and "" in value)
