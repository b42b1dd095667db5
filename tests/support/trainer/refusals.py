"""What a refusing trainer leaves behind."""

import pytest
from trainer_world import World


def objects(world: World) -> list[str]:
    """What the trainer wrote, by name."""
    found = (world.root / "store").glob("[!.]*/**/*")
    names = [path.name for path in found if path.is_file() and not path.name.startswith(".")]
    return [name for name in names if name not in ("run.json", "1.json")]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line
