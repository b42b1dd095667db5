"""Missing prerequisites of a test: a reason to skip it, but on CI a failure."""

import os
import shutil
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test for `reason`; where the environment says CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def program(name: str, comes_with: str) -> str:
    """The path of a program that the test runs."""
    found = shutil.which(name)
    if found is None:
        missing(f"needs {name}, which {comes_with}")
    return found
