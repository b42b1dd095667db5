"""Invalid models and documents."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from world import KEYS, ROW, STEP, Bench, Seen, World, ended, run

from lccp.api.objects.manifest import Manifest
from lccp.store.objects import read


def refused(*words: str, damage: Callable[[World], object], **spec: Any) -> Callable[[Bench], Seen]:
    """A fault that is detected before the first step."""

    def case(bench: Bench) -> Seen:
        world = bench.world()
        damage(world)
        return ended(run(world, **spec), 64, *words)

    return case


def written(name: str, content: bytes) -> Callable[[World], object]:
    return lambda world: (world.root / "data" / name).write_bytes(content)


def line(number: int, text: bytes) -> Callable[[World], object]:
    """Replace a line of the long documents, counted from 1."""

    def damage(world: World) -> None:
        path = world.root / "data" / "long.jsonl"
        lines = path.read_bytes().splitlines()
        lines[number - 1] = text
        path.write_bytes(b"\n".join(lines) + b"\n")

    return damage


def a_folder(world: World) -> Path:
    """Replace the file of documents by a folder with one of them; returns the folder."""
    folder = world.root / "data" / "folder"
    folder.mkdir()
    shutil.copy(world.root / "data" / "long.jsonl", folder / "a.jsonl")
    return folder


FOLDER: dict[str, Any] = {
    "data": {
        "shortFraction": "0",
        "sources": [{"name": "long", "kind": "Long", "path": "data/folder"}],
    }
}


def stray(world: World) -> None:
    (a_folder(world) / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def companions(bench: Bench) -> Seen:
    world = bench.world()
    model = world.root / "model"
    generation = b'{"do_sample": false, "temperature": 0.7}'
    (model / "generation_config.json").write_bytes(generation)
    tokenizer = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"model_max_length": 64}))
    attempt = run(world)
    manifest = read(world.store, KEYS.checkpoint_manifest(4 * STEP), Manifest)
    prefix = KEYS.checkpoint(manifest.tokens, manifest.writer)
    kept = world.store.get(f"{prefix}generation_config.json") == generation
    length = json.loads(world.store.get(f"{prefix}tokenizer_config.json"))["model_max_length"]
    told = f"{attempt.process.returncode}: kept as it is: {kept}; model_max_length {length}"
    return Seen(attempt.process.returncode == 0 and kept and length == ROW, told)


def balancing(bench: Bench) -> Seen:
    losses = []
    for coefficient in ("0", "10"):
        training = {"routerAuxLossCoefficient": coefficient}
        losses.append(run(bench.world(), training=training).history[-1].loss)
    return Seen(losses[0] != losses[1], f"loss of the last step: {losses[0]:.6f}, {losses[1]:.6f}")


def linked(bench: Bench) -> Seen:
    """Documents in a linked folder count, and a gzip without .gz is read."""
    world = bench.world()
    folder = a_folder(world)
    (folder / "a.jsonl").unlink()
    elsewhere = world.root / "elsewhere"
    elsewhere.mkdir()
    packed = gzip.compress((world.root / "data" / "long.jsonl").read_bytes())
    (elsewhere / "packed").write_bytes(packed)
    (folder / "more").symlink_to(elsewhere)
    attempt = run(world, **FOLDER)
    return Seen(
        attempt.process.returncode == 0, f"{attempt.process.returncode}: {attempt.end.message}"
    )


CASES: dict[str, Callable[[Bench], Seen]] = {
    "a generation_config.json that transformers refuses, and a short model_max_length": companions,
    "routerAuxLossCoefficient 0 and 10": balancing,
    "a line that is no JSON": refused("long.jsonl, line 40", "JSON", damage=line(40, b"{")),
    '"text": null': refused("long.jsonl, line 40", "null", damage=line(40, b'{"text": null}')),
    "half of a surrogate pair": refused(
        "long.jsonl, line 40", "surrogate", damage=line(40, b'{"text": "\\ud800"}')
    ),
    "Latin-1": refused("line 40", "UTF-8", damage=line(40, '{"text": "é"}'.encode("latin-1"))),
    "UTF-16": refused("UTF-16", damage=written("long.jsonl", '{"text": "a"}'.encode("utf-16"))),
    "zstd": refused("zstd", damage=written("long.jsonl", b"\x28\xb5\x2f\xfd" + bytes(50))),
    "Parquet named .jsonl": refused("Parquet", damage=written("long.jsonl", b"PAR1" + bytes(50))),
    "an empty file": refused("is empty", damage=written("long.jsonl", b"")),
    "only empty documents": refused(
        "data.sources[0]", damage=written("long.jsonl", b'{"text": ""}\n' * 20)
    ),
    "a stray file in the folder": refused("picture.png", damage=stray, **FOLDER),
    "documents in a linked folder, as gzip without .gz": linked,
}
