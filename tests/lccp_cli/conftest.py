import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import a_run
import pytest
import stubbed_command_line
import yaml
from laptop import saved
from operator_world import report_of
from typer.testing import CliRunner, Result

from lccp.api.labels import ANNEAL
from lccp.store.file import FileStore
from lccp_cli.main import app
from lccp_evaluator.main import of_suite

EVERY = 25 * a_run.STEP_TOKENS


@pytest.fixture
def lccp() -> Callable[..., Result]:
    """The command line, in this process."""
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with what a manifest names below `example/`."""
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "example" / "model"
    model.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (model / name).write_text("{}")
    for name in ("long.jsonl", "short.jsonl"):
        (tmp_path / "example" / name).write_text('{"text": "The grass is green."}\n')
    return tmp_path


@pytest.fixture
def manifest(workplace: Path) -> Callable[..., Path]:
    """Writes a manifest of three checkpoints; arguments replace parts of its spec."""

    def write(**spec: Any) -> Path:
        training = {
            "tokens": 2 * EVERY,
            "globalBatchTokens": a_run.STEP_TOKENS,
            "learningRate": "1.5e-4",
        }
        document = a_run.manifest(**{"training": training, **spec})
        path = Path("example/run.yaml")
        path.write_text(yaml.safe_dump(document))
        return path

    return write


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run, of which every test gets a copy: it is faster to copy than to
    write."""
    folder = tmp_path_factory.mktemp("original") / "runs"
    a_run.put(FileStore(folder), a_run.finished())
    return folder


@pytest.fixture
def stored(tmp_path: Path, original: Path) -> Path:
    """A finished run's folder."""
    shutil.copytree(original, tmp_path / "runs")
    return tmp_path / "runs" / "default" / "tiny"


@pytest.fixture
def start(workplace: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts the command line in a process of its own, stubs below its engine; a checkpoint takes
    `steps` steps."""
    ready = workplace / "ready"
    make_ready(ready)

    def popen(*arguments: str, steps: int = 1) -> "subprocess.Popen[str]":
        shared = ["--ready", str(ready)]
        train = ["trainer", str(EVERY), "--from-zero", "--steps", str(steps), *shared]
        evaluate = ["evaluator", str(workplace / "done.txt"), *shared]
        return subprocess.Popen(
            [
                sys.executable,
                stubbed_command_line.__file__,
                json.dumps(train),
                json.dumps(evaluate),
                *arguments,
            ],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen


def make_ready(ready: Path) -> None:
    """Lay down what the stubs write: checkpoints, and the ends of two branches."""
    ready.mkdir()
    points = (EVERY, EVERY + a_run.STEP_TOKENS)
    for tokens in (0, *points, *(EVERY + point for point in points)):
        made = saved(tokens)
        report = report_of(made)
        (ready / f"manifest-{tokens}.json").write_bytes(made.to_json())
        (ready / f"report-{tokens}.json").write_bytes(report.to_json())
        branch = of_suite(report.model_copy(update={"tokens": tokens - EVERY}), ANNEAL)
        if tokens > EVERY:
            (ready / f"report-anneal-{tokens - EVERY}.json").write_bytes(branch.to_json())
