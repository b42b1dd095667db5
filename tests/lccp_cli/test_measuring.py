"""Options that `lccp evaluate` and `lccp watch` share."""

import inspect
from dataclasses import fields
from pathlib import Path

from lccp_cli.measuring import Measuring, takes_measuring

SEEN: list[tuple[Path, Measuring, bool]] = []


@takes_measuring
def command(model: Path, measuring: Measuring, quiet: bool = False) -> None:
    """Measure it."""
    SEEN.append((model, measuring, quiet))


def test_the_options_stand_in_the_place_of_the_argument() -> None:
    names = list(inspect.signature(command).parameters)

    assert names == ["model", *(one.name for one in fields(Measuring)), "quiet"]
    assert command.__doc__ == "Measure it."


def test_a_command_is_given_its_options_as_one() -> None:
    defaults = {one.name: one.default for one in fields(Measuring)}
    command(model=Path("m"), quiet=True, **defaults | {"seed": 3})

    assert SEEN[-1] == (Path("m"), Measuring(seed=3), True)
