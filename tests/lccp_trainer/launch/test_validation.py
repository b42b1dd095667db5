"""Errors of a run are reported with their field, before any process is started."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from refusals import objects, said
from trainer_world import BATCH_ROWS, ROW, World

from lccp.api.exits import ExitCode
from lccp.store.keys import RunKeys
from lccp_trainer.launch import launcher

pytestmark = pytest.mark.slow

KEYS = RunKeys("default", "run")
Damage = Callable[[World], None]


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
        "training.globalBatchTokens: 1025 is not a multiple of 512",
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
