"""A command's arguments, of which none may be empty by mistake, and its help."""

from typing import Any

from typer.core import TyperCommand

from lccp.contract.errors import InvalidInput

MAY_BE_EMPTY = ("separator",)


class Command(TyperCommand):
    """A command that refuses empty arguments: as a path, one would be the working folder.

    A shell makes them of variables without a value. Its help is wrapped at the terminal's width.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in order:
            if parameter.name not in MAY_BE_EMPTY and _is_empty(given[parameter.name]):
                otherwise = "" if parameter.required else ", or leave it out"
                raise InvalidInput(f"{_name(parameter)}: is empty: give a value{otherwise}")
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        written, self.help = self.help, _flowing(self.help or "")
        try:
            super().format_help(ctx, formatter)
        finally:
            self.help = written


def _flowing(text: str) -> str:
    """`text` with each paragraph in one line, for a terminal to wrap; indented lines stay."""
    parts = text.split("\n\n")
    return "\n\n".join(part if part.startswith(" ") else part.replace("\n", " ") for part in parts)


def _name(parameter: Any) -> str:
    """As help names it."""
    if parameter.param_type_name == "argument":
        name = str(parameter.metavar).rstrip(".")
        return name[1:-1] if name.startswith("[") else name
    return str(parameter.opts[0])


def _is_empty(value: Any) -> bool:
    """Whether a value, or one of several, is an empty text."""
    return value == "" or (isinstance(value, list | tuple) and "" in value)
