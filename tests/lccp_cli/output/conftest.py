import json
from collections.abc import Callable
from pathlib import Path

import pytest
from planned import CONFIG
from planned import manifest as planned


@pytest.fixture
def large(workplace: Path) -> Callable[..., Path]:
    """Writes the manifest of a run that needs accelerators; arguments are its training's."""

    def write(**training: object) -> Path:
        (workplace / "example" / "m").mkdir(exist_ok=True)
        (workplace / "example" / "m" / "config.json").write_text(json.dumps(CONFIG))
        path = workplace / "example" / "large.yaml"
        path.write_text(json.dumps(planned(**training)))
        return path

    return write
