"""A real MLflow server, for the duration of a block."""

import os
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitoring import process, until
from needs import missing
from serving import free_port

from get_mlflow import PROGRAM

START_SECONDS = 240
"""It makes its database first."""


def program() -> str:
    found = os.environ.get("MLFLOW") or shutil.which("mlflow") or str(PROGRAM)
    if not Path(found).exists():
        missing("needs MLflow's server: make mlflow")
    return found


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Its address; what it stores lies in `folder`."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = [
        "server",
        f"--backend-store-uri=sqlite:///{folder}/mlflow.db",
        f"--default-artifact-root={folder}/artifacts",
        f"--port={port}",
        "--workers=1",
    ]
    with process(program(), *arguments, log=folder / "mlflow.log"):
        assert until(lambda: answers(url), START_SECONDS), (folder / "mlflow.log").read_text()
        yield url


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.read() == b"OK")
    except OSError:
        return False
