"""Options that `lccp evaluate` and `lccp watch` share."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from lccp.contract.errors import InvalidInput
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


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Measuring(context="x"), "^--context: must be a length in tokens"),
        (Measuring(source_context="1.5K"), "^--source-context: must be a length in tokens"),
        (Measuring(depths="200"), "^--depths"),
    ],
)
def test_wrong_options_are_refused_before_torch_is_imported(
    asked: Measuring, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        asked.settings()


def test_settings_are_made_of_what_was_asked() -> None:
    asked = Measuring(context="64K", device="cpu", dtype="float32", batch_size=7, seed=3)

    made = asked.settings()()

    assert (made.context, made.source_context) == (65_536, None)
    assert (made.execution.device, made.execution.dtype) == ("cpu", "float32")
    assert made.probes.asked()["niah"].model_dump()["seed"] == 3
