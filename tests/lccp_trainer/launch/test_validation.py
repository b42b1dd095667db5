"""What is wrong is said in one sentence, with the field, before any process is started."""

import gzip
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from trainer_world import BATCH_ROWS, ROW, World

from lccp import logs
from lccp.api.exits import ExitCode
from lccp.contract.errors import StoreUnavailable
from lccp.store.keys import RunKeys
from lccp_trainer.launch import launcher

pytestmark = pytest.mark.slow

KEYS = RunKeys("default", "run")
Damage = Callable[[World], None]


@pytest.fixture
def termination_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that a kubelet gives a container."""
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(logs, "TERMINATION_LOG", path)
    return path


@pytest.fixture(autouse=True)
def _no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(launcher.subprocess, "Popen", refuse)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> World:
    """A world whose model and data may be damaged."""
    for name in ("model", "data"):
        shutil.copytree(tiny / name, tmp_path / name)
    return World(tmp_path)


def objects(world: World) -> list[str]:
    """What the trainer wrote, by name."""
    found = (world.root / "store").glob("[!.]*/**/*")
    names = [path.name for path in found if path.is_file() and not path.name.startswith(".")]
    return [name for name in names if name not in ("run.json", "1.json")]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The only line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


def rewrite_config(**fields: Any) -> Damage:
    def damage(world: World) -> None:
        path = world.root / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return damage


def write_file(name: str, content: bytes) -> Damage:
    return lambda world: void((world.root / name).write_bytes(content))


def remove(name: str) -> Damage:
    return lambda world: (world.root / name).unlink()


def truncate(name: str, left_out: int) -> Damage:
    def damage(world: World) -> None:
        path = world.root / name
        path.write_bytes(path.read_bytes()[:-left_out])

    return damage


def void(_: object) -> None:
    return None


def nothing(_: World) -> None:
    return None


TABLE: dict[str, tuple[Damage, dict[str, Any], str]] = {
    "model folder": (
        nothing,
        {"model": {"source": "none"}},
        "model.source: there is no folder",
    ),
    "no config": (
        remove("model/config.json"),
        {},
        "model.source: ",
    ),
    "config not JSON": (
        write_file("model/config.json", b"{"),
        {},
        "model.source: ",
    ),
    "no weights": (
        remove("model/model.safetensors"),
        {},
        "model.source: ",
    ),
    "truncated weights": (
        truncate("model/model.safetensors", 100),
        {},
        "model.source: ",
    ),
    "truncated header": (
        write_file("model/model.safetensors", b"\x10\x00"),
        {},
        "model.source: ",
    ),
    "missing shard": (
        write_file(
            "model/model.safetensors.index.json",
            json.dumps({"weight_map": {"a": "model-00001.safetensors"}}).encode(),
        ),
        {},
        "model.source: ",
    ),
    "index not JSON": (
        write_file("model/model.safetensors.index.json", b"{"),
        {},
        "model.source: ",
    ),
    "no tokenizer": (
        lambda world: [void(p.unlink()) for p in (world.root / "model").glob("tokenizer*")].clear(),
        {},
        "model.source: ",
    ),
    "tokenizer not JSON": (
        write_file("model/tokenizer.json", b"{"),
        {},
        "model.source: ",
    ),
    "tokenizer of another model": (
        rewrite_config(vocab_size=50),
        {},
        "model.source: ",
    ),
    "no context": (
        rewrite_config(max_position_embeddings=None),
        {},
        "model.source: ",
    ),
    "context lowered": (
        rewrite_config(max_position_embeddings=512),
        {},
        "model.targetContextLength: 128 is less than the source's context of 512",
    ),
    "missing data": (
        remove("data/long.jsonl"),
        {},
        "data.sources[0].path: ",
    ),
    "damaged data": (
        write_file("data/short.jsonl.gz", gzip.compress(b"x" * 10_000)[:30]),
        {},
        "data.sources[1].path: ",
    ),
    "another field": (
        write_file("data/long.jsonl", b'{"body": "x"}\n'),
        {},
        "data.sources[0].path: ",
    ),
    "batch": (
        nothing,
        {"training": {"globalBatchTokens": BATCH_ROWS * ROW + 1}},
        "training.globalBatchTokens: 1025 is no multiple of 512",
    ),
    "processes": (
        nothing,
        {"topology": {"nodes": 3}},
        "training.globalBatchTokens: ",
    ),
    "expert parallel": (
        nothing,
        {"training": {"deepspeed": {"expertParallelSize": 8}}, "topology": {"nodes": 8}},
        "training.deepspeed.expertParallelSize: 8 does not divide the model's 4 experts",
    ),
    "sequence parallel": (
        nothing,
        {"training": {"deepspeed": {"sequenceParallelSize": 8}}, "topology": {"nodes": 8}},
        "training.deepspeed.sequenceParallelSize: 8 does not divide the model's 4 attention heads",
    ),
    "a companion that is not JSON": (
        lambda world: (world.root / "model" / "generation_config.json").write_text("{"),
        {},
        "model.source: ",
    ),
    "zero 0 in bfloat16": (
        nothing,
        {"training": {"precision": "BF16", "deepspeed": {"zeroStage": 0}}},
        "training.deepspeed.zeroStage: ",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_wrong_input_ends_with_64_and_its_field(
    world: World, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    damage, spec, sentence = TABLE[case]
    damage(world)
    code = launcher.launch(world.environ(world.document(**spec)))
    assert code == ExitCode.CONFIGURATION
    line = said(capsys)
    assert f"Configuration: {sentence}" in line
    assert "Traceback" not in line
    assert objects(world) == ["end.json"]
    (end,) = world.store.list(KEYS.trainings)
    assert sentence in json.loads(world.store.get(end.key))["message"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LCCP_RUN", None, "environment: LCCP_RUN is not set"),
        ("LCCP_RUN", "run", "environment: LCCP_RUN must be namespace/name"),
        ("LCCP_STORE", "{", "environment: LCCP_STORE is not JSON"),
        ("LCCP_ATTEMPT", "0", "environment: attempt: "),
        ("LCCP_POD_UID", "no uid", "writer: 'no uid' is not a UID"),
        ("JOB_COMPLETION_INDEX", "two", "environment: JOB_COMPLETION_INDEX must be a number"),
    ],
)
def test_a_wrong_environment_ends_with_64(
    world: World,
    capsys: pytest.CaptureFixture[str],
    termination_log: Path,
    name: str,
    value: str | None,
    sentence: str,
) -> None:
    environ = {"LCCP_RENDEZVOUS": "host:29400"} | world.environ(world.document())
    environ = {key: text for key, text in environ.items() if key != name or value is not None}
    code = launcher.launch(environ | ({name: value} if value is not None else {}))
    assert code == ExitCode.CONFIGURATION
    assert sentence in said(capsys)
    assert sentence in termination_log.read_text()
    assert objects(world) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LCCP_RENDEZVOUS", "host", "environment: LCCP_RENDEZVOUS must be host:port"),
        ("JOB_COMPLETION_INDEX", "2", "JOB_COMPLETION_INDEX below topology.nodes (2)"),
    ],
)
def test_a_place_that_the_gang_lacks_ends_with_64(
    world: World, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
) -> None:
    environ = {"LCCP_RENDEZVOUS": "host:29400"} | world.environ(world.document())
    assert launcher.launch(environ | {name: value}) == ExitCode.CONFIGURATION
    assert sentence in said(capsys)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        (KEYS.identity, None, "there is no default/run/run.json, which whoever starts a run"),
        (KEYS.control(1), None, "there is no default/run/control/1.json"),
        (KEYS.identity, "{", "default/run/run.json: is not JSON"),
        (KEYS.control(1), '{"schemaVersion": 9}', "control/1.json: has schema version 9"),
        (
            KEYS.control(1),
            '{"schemaVersion": 1, "settings": {"training": {"tokens": "many"}}}',
            "control/1.json: training.tokens: must be a number of tokens",
        ),
    ],
)
def test_a_store_that_does_not_say_what_to_do_ends_with_64(
    world: World, capsys: pytest.CaptureFixture[str], key: str, text: str | None, sentence: str
) -> None:
    environ = world.environ(world.document())
    world.store.put(key, text.encode()) if text else world.store.delete(key)
    assert launcher.launch(environ) == ExitCode.CONFIGURATION
    assert sentence in said(capsys)


class Unreachable:
    """A store that does not answer."""

    url = "s3://bucket"

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> None:
            raise StoreUnavailable("store s3://bucket does not answer")

        return call


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, ExitCode.CONFIGURATION), (2, ExitCode.STORE_UNREACHABLE)]
)
def test_an_unreachable_store_is_a_wrong_input_at_first_and_an_outage_later(
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    attempt: int,
    expected: ExitCode,
) -> None:
    monkeypatch.setattr(launcher, "open_store", lambda *_: Unreachable())
    assert launcher.launch(world.environ(world.document(), attempt)) == expected
    assert "store s3://bucket does not answer" in capsys.readouterr().err


def test_a_store_that_may_not_be_written_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (world.root / "store").write_text("a file, not a folder")
    assert launcher.launch(world.environ(world.document())) == ExitCode.CONFIGURATION
    assert str(world.root / "store") in capsys.readouterr().err
