"""Errors of a fine-tuning are reported in one sentence, before any process is started."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainer_world import ROW, World

from lccp.api.exits import ExitCode
from lccp.store.keys import RunKeys
from lccp_trainer.launch import launcher

TOKENS = 4096
KEYS = RunKeys("default", "run").fine_tuning(TOKENS)
RECORD = {"prompt": "w1 ", "completion": "w2"}
QUESTION = {"messages": [{"role": "user", "content": "w1"}]}
SETTINGS = {"path": "records.jsonl", "globalBatchTokens": 4 * ROW}


@pytest.fixture
def world(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with a checkpoint and a record, in which no process is started."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(launcher.subprocess, "Popen", refuse)
    monkeypatch.setattr(launcher.signal, "signal", lambda *_: None)
    for name in ("model", "data"):
        (tmp_path / name).symlink_to(tiny / name)
    (tmp_path / "records.jsonl").write_text(json.dumps(RECORD))
    world = World(tmp_path)
    world.checkpoint(TOKENS)
    return world


def write(content: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        (world.root / "records.jsonl").write_text(json.dumps(content) if content else "")

    return change


def remove(name: str) -> Callable[[World], None]:
    return lambda world: (world.root / name).unlink()


def nothing(_: World) -> None:
    return None


MANIFEST = f"store/{KEYS.run.checkpoint_manifest(TOKENS)}"
TABLE: dict[str, tuple[Callable[[World], None], dict[str, Any], dict[str, Any], str]] = {
    "no checkpoint": (
        remove(MANIFEST),
        {},
        {},
        "environment: LCCP_TOKENS: ",
    ),
    "no records": (
        remove("records.jsonl"),
        {},
        {},
        "sft.path: ",
    ),
    "an empty file": (
        write(None),
        {},
        {},
        "sft.path: ",
    ),
    "documents in place of records": (
        write({"text": "w1 w2"}),
        {},
        {},
        "records.jsonl, line 1: has neither messages, nor prompt and completion",
    ),
    "no answer": (
        write(QUESTION),
        {},
        {},
        "records.jsonl, line 1: messages contains none with the role assistant",
    ),
    "batch": (
        nothing,
        {"globalBatchTokens": 3 * ROW},
        {},
        "sft.globalBatchTokens: 384 is not a multiple of 512",
    ),
    "row": (
        nothing,
        {"contextLength": 2 * ROW},
        {},
        "sft.contextLength: 256 is more than the model's context",
    ),
    "adapters over experts": (
        nothing,
        {"lora": {}},
        {"training": {"deepspeed": {"expertParallelSize": 2}}},
        "sft.lora: adapters do not go with training.deepspeed.expertParallelSize 2",
    ),
    "layout": (
        nothing,
        {},
        {
            "training": {"deepspeed": {"sequenceParallelSize": 8}, "microBatchSize": 1},
            "topology": {"nodes": 8},
        },
        "training.deepspeed.sequenceParallelSize: 8 does not divide the model's 4 attention heads",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_wrong_input_ends_with_64_and_its_field(
    world: World, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, settings, spec, sentence = TABLE[case]
    environ = world.told_to_fine_tune({**SETTINGS, **settings}, TOKENS, **spec)
    change(world)
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert "Traceback" not in line
    (end,) = world.store.list(KEYS.trainings)
    assert sentence in json.loads(world.store.get(end.key))["message"]


def test_a_stray_file_is_found_before_it_is_reached(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = world.root / "records"
    folder.mkdir()
    (folder / "1.jsonl").write_text(json.dumps(RECORD))
    (folder / "README").write_text("Records of the made-up task")
    environ = world.told_to_fine_tune(SETTINGS | {"path": "records"}, TOKENS)
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    assert "README, line 1: is not JSON: correct it, or remove it" in capsys.readouterr().err


def test_a_checkpoint_must_be_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    environ = world.told_to_fine_tune(SETTINGS, TOKENS)
    del environ["LCCP_TOKENS"]
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    assert "LCCP_OBJECTIVE SFT needs LCCP_TOKENS" in capsys.readouterr().err


def test_settings_must_be_there(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    environ = world.told_to_fine_tune(SETTINGS, TOKENS)
    key = KEYS.control(1)
    control = json.loads(world.store.get(key))
    del control["sft"]
    world.store.put(key, json.dumps(control).encode())
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    assert f"{key} has no sft" in capsys.readouterr().err
