"""What goes wrong in a training, done to real attempts of two processes: what is said and lost.

First the kills: a run in which random ranks get SIGKILL at random moments, each attempt in another
layout, beside the same run undisturbed: every step is there, and its loss differs no more than a
sum in another order does. Then one fault after the other, with the exit code and the sentence.
What was seen is kept in faults_2026-11.md.

    python benchmarks/faults.py [--kills 20] [--only WORD]
"""

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path += [str(folder) for folder in (ROOT / "tests" / "support").iterdir()]

from trainer_world import BATCH_ROWS, ROW, Attempt, World  # noqa: E402

from lccp.api.objects.journal import Control  # noqa: E402
from lccp.api.objects.manifest import Manifest  # noqa: E402
from lccp.store.keys import RunKeys  # noqa: E402
from lccp.store.objects import read, write  # noqa: E402

STEP = BATCH_ROWS * ROW
KEYS = RunKeys("default", "run")
LAYOUTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ZeRO 1", {"zeroStage": 1}),
    ("ZeRO 2", {"zeroStage": 2}),
    ("ZeRO 3", {"zeroStage": 3}),
    ("ZeRO 1, SP 2", {"zeroStage": 1, "sequenceParallelSize": 2}),
    ("ZeRO 2, EP 2", {"zeroStage": 2, "expertParallelSize": 2}),
    ("ZeRO 3, SP 2", {"zeroStage": 3, "sequenceParallelSize": 2}),
    ("ZeRO 1, SP 2, EP 2", {"sequenceParallelSize": 2, "expertParallelSize": 2}),
    ("ZeRO 1, offload", {"zeroStage": 1, "offloadOptimizer": "CPU"}),
)
KILL_WITHIN_SECONDS = 4.0
STATE_EVERY_STEPS = 4


@dataclass(frozen=True)
class Seen:
    """What a fault led to."""

    holds: bool
    told: str


@dataclass
class Bench:
    """Worlds that share model and documents."""

    folder: Path
    worlds: list[World] = field(default_factory=list)

    def world(self) -> World:
        """A new one, whose model and documents may be changed."""
        root = self.folder / f"world-{len(self.worlds)}"
        root.mkdir()
        for name in ("model", "data"):
            shutil.copytree(self.folder / "tiny" / name, root / name)
        self.worlds.append(World(root))
        return self.worlds[-1]

    def close(self) -> None:
        for world in self.worlds:
            world.close()


def run(world: World, steps: int = 4, attempt: int = 1, **spec: Any) -> Attempt:
    """An attempt over as many steps, with a checkpoint and a state every two, to its end."""
    training = {"tokens": steps * STEP} | spec.pop("training", {})
    checkpoints = {"everyTokens": 2 * STEP} | spec.pop("checkpoints", {})
    document = world.document(training=training, checkpoints=checkpoints, **spec)
    started = world.start(document, attempt)
    started.wait()
    return started


def ended(attempt: Attempt, code: int, *words: str) -> Seen:
    """That it ended with the code, and says the words."""
    found, told = attempt.process.returncode, attempt.end.message
    return Seen(found == code and all(word in told for word in words), f"{found}: {told}")


def refused(*words: str, damage: Callable[[World], object], **spec: Any) -> Callable[[Bench], Seen]:
    """A fault that is found before a step is made."""

    def case(bench: Bench) -> Seen:
        world = bench.world()
        damage(world)
        return ended(run(world, **spec), 64, *words)

    return case


def written(name: str, content: bytes) -> Callable[[World], object]:
    return lambda world: (world.root / "data" / name).write_bytes(content)


def line(number: int, text: bytes) -> Callable[[World], object]:
    """Another line of the long documents, counted from 1."""

    def damage(world: World) -> None:
        path = world.root / "data" / "long.jsonl"
        lines = path.read_bytes().splitlines()
        lines[number - 1] = text
        path.write_bytes(b"\n".join(lines) + b"\n")

    return damage


def a_folder(world: World) -> Path:
    """A folder of documents instead of the file, with one of them; the folder."""
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


# --- the model's directory ---


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


# --- states ---


def empty_manifest(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    world.store.put(KEYS.state_manifest(4 * STEP), b"")
    second = run(world, steps=6, attempt=2)
    resumed = second.heartbeat.resumed_from_tokens
    told = f"{second.process.returncode}: went on from step {(resumed or 0) // STEP}"
    return Seen(second.process.returncode == 0 and resumed == 2 * STEP, told)


def lost_states(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    shutil.rmtree(world.root / "store" / KEYS.states)
    return ended(run(world, steps=6, attempt=2), 64, "checkpoints.lostState", "Restart")


def changed_documents(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    path = world.root / "data" / "long.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    return ended(run(world, steps=6, attempt=2), 64, "the documents of long", "acceptChanged")


def raised_budget(bench: Bench) -> Seen:
    world = bench.world()
    cosine = {"schedule": {"type": "Cosine"}}
    run(world, training=cosine)
    return ended(run(world, steps=6, attempt=2, training=cosine), 64, "training.tokens")


# --- processes, disks, stores ---


def killed_rank(bench: Bench) -> Seen:
    attempt = endless(bench.world())
    attempt.wait_for_step(1)
    attempt.ranks()[1].kill()
    attempt.wait()
    return ended(attempt, 70, "rank 1 was killed by SIGKILL")


def killed_launcher(bench: Bench) -> Seen:
    """What it leaves in the temporary folder is gone once the next attempt has begun."""
    world = bench.world()
    temporary = world.root / "temporary"
    temporary.mkdir()
    first = endless(world, TMPDIR=str(temporary))
    first.wait_for_step(1)
    first.process.kill()
    first.wait()
    time.sleep(3)
    second = endless(world, 2, TMPDIR=str(temporary))
    second.wait_for_step(1)
    during = len(list(temporary.glob("lccp-train-*")))
    drain(world, 2)
    second.wait()
    after = len(list(temporary.glob("lccp-train-*")))
    return Seen((during, after) == (1, 0), f"folders of scratch: {during}, after the end {after}")


def full_disk(bench: Bench) -> Seen:
    """A store on a file system of 2 MiB, which the second checkpoint does not fit."""
    world = bench.world()
    store = world.root / "store"
    store.mkdir()
    with mounted(store, "2m"):
        started = time.monotonic()
        attempt = run(world, steps=40, training={"logEverySteps": 10})
        seconds = time.monotonic() - started
        try:
            told = attempt.end.message
        except Exception:
            told = attempt.log.splitlines()[-1]
    return Seen(
        attempt.process.returncode == 69, f"{attempt.process.returncode}: {told} ({seconds:.0f} s)"
    )


def store_down(bench: Bench) -> Seen:
    """The store's folder is gone for two minutes."""
    world = bench.world()
    attempt = endless(world)
    attempt.wait_for_step(1)
    store, away = world.root / "store", world.root / "away"
    store.rename(away)
    store.touch()
    time.sleep(120)
    store.unlink()
    away.rename(store)
    before = attempt.heartbeat.step
    attempt.wait_for_step(before + 5)
    drain(world, 1)
    attempt.wait()
    steps = [record.step for record in attempt.history]
    whole = steps == list(range(1, len(steps) + 1))
    told = f"{attempt.process.returncode}: {len(steps)} steps, none missing: {whole}"
    return Seen(attempt.process.returncode == 0 and whole, told)


def terminated(bench: Bench) -> Seen:
    world = bench.world()
    attempt = endless(world)
    attempt.wait_for_step(3)
    attempt.process.terminate()
    attempt.wait()
    saved = attempt.end.tokens in attempt.heartbeat.states
    return Seen(
        saved and attempt.process.returncode == 75,
        f"{attempt.process.returncode}: {attempt.end.message}",
    )


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "lccp", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def endless(
    world: World, attempt: int = 1, layout: dict[str, Any] | None = None, **environ: str
) -> Attempt:
    document = world.document(
        training={"tokens": 100_000 * STEP, "microBatchSize": 1, "deepspeed": layout or {}},
        checkpoints={
            "everyTokens": 50_000 * STEP,
            "stateEveryTokens": STATE_EVERY_STEPS * STEP,
        },
    )
    return world.start(document, attempt, **environ)


def drain(world: World, attempt: int) -> None:
    key = KEYS.control(attempt)
    control = read(world.store, key, Control)
    write(world.store, key, control.model_copy(update={"request": "Drain"}))


CASES: dict[str, Callable[[Bench], Seen]] = {
    "a generation_config.json that transformers refuses, and a short model_max_length": companions,
    "routerAuxLossCoefficient 0 and 10": balancing,
    "the newest state's manifest is empty": empty_manifest,
    "all states are gone, checkpoints are there": lost_states,
    "a document was taken out between two attempts": changed_documents,
    "a budget that is raised under a cosine": raised_budget,
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
    "rank 1 gets SIGKILL": killed_rank,
    "SIGTERM": terminated,
    "the launcher gets SIGKILL: its scratch": killed_launcher,
    "the store's disk is full": full_disk,
    "the store is down for two minutes": store_down,
}


def linked(bench: Bench) -> Seen:
    """Documents in a folder that is linked to count, and a gzip without .gz is read."""
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


CASES["documents in a linked folder, as gzip without .gz"] = linked


# --- kills ---


def kills(bench: Bench, count: int, seed: int = 0) -> Seen:
    """Kill random ranks of one run at random moments; its steps beside those of another run."""
    rng, world, attempts = random.Random(seed), bench.world(), []
    for number in range(1, count + 1):
        name, layout = rng.choice(LAYOUTS)
        attempt = endless(world, number, layout)
        attempts.append(attempt)
        early = rng.random() < 0.25
        if not early:
            last = max((r.step for a in attempts[:-1] for r in history(a)), default=0)
            attempt.wait_for_step(last + 1)
        time.sleep(rng.uniform(0, KILL_WITHIN_SECONDS) + (5 if early else 0))
        ranks = attempt.ranks()
        if ranks:
            ranks[rng.choice(sorted(ranks))].kill()
        code = attempt.wait() if ranks else "no rank yet"
        made = [record.step for record in history(attempt)]
        print(f"kill {number}: {name}: {code}, steps {made[:1]} to {made[-1:]}", flush=True)
        if not ranks:
            attempt.process.kill()
            attempt.wait()
    last = max(record.step for attempt in attempts for record in history(attempt))
    final = endless(world, count + 1)
    final.wait_for_step(last + 5)
    drain(world, count + 1)
    final.wait()
    attempts.append(final)
    peaceful = bench.world()
    reference = endless(peaceful)
    reference.wait_for_step(final.end.step)
    drain(peaceful, 1)
    reference.wait()
    return compared(attempts, {record.step: record.loss for record in history(reference)})


def compared(attempts: list[Attempt], expected: dict[int, float]) -> Seen:
    steps = {record.step for attempt in attempts for record in history(attempt)}
    missing = set(range(1, max(steps) + 1)) - steps
    far = max(
        abs(record.loss - expected[record.step])
        for attempt in attempts
        for record in history(attempt)
    )
    told = (
        f"{max(steps)} steps, {len(missing)} missing; largest difference of a loss {far:.1e} nats"
    )
    return Seen(not missing and far < 1e-4, told)


def history(attempt: Attempt) -> list[Any]:
    """Empty where none was written."""
    if attempt.store.stat(attempt.keys.history(attempt.writer)) is None:
        return []
    return attempt.history


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    parser.add_argument("--only", default="", metavar="WORD", help="faults whose name holds it")
    asked = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "deepspeed"))
    print(f"{date.today()}, Python {sys.version.split()[0]}, {libraries}\n")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        script = ROOT / "tests" / "support" / "models" / "trainer_model.py"
        environ = os.environ | {"PYTHONWARNINGS": "ignore"}
        tiny = bench.folder / "tiny"
        tiny.mkdir()
        subprocess.run([sys.executable, script, tiny], check=True, env=environ, capture_output=True)
        cases = {name: case for name, case in CASES.items() if asked.only in name}
        if asked.kills:
            cases = {f"{asked.kills} SIGKILLs": lambda bench: kills(bench, asked.kills)}
        print("| fault | holds | seen |\n| --- | --- | --- |")
        try:
            for name, case in cases.items():
                seen = case(bench)
                failed += not seen.holds
                told = seen.told.replace(str(bench.folder), "…").replace("|", "/")
                print(f"| {name} | {'yes' if seen.holds else 'NO'} | {told} |", flush=True)
        finally:
            bench.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
