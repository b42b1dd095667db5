import shutil
from pathlib import Path

import pytest


@pytest.fixture
def source(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that may be damaged."""
    return Path(shutil.copytree(tiny / "model", tmp_path / "model"))
