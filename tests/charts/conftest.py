"""Value sets, and the chart rendered with each of them."""

from pathlib import Path

import pytest
from helm import Helm, Object

VALUES = sorted((Path(__file__).parent / "values").glob("*.yaml"))


@pytest.fixture(scope="session", params=VALUES, ids=lambda path: path.stem)
def values(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="session")
def objects(helm: Helm, values: Path) -> list[Object]:
    """What one value set renders."""
    return helm.render(values)


@pytest.fixture
def value_set() -> dict[str, Path]:
    """The value sets by name."""
    return {path.stem: path for path in VALUES}
