"""The trainer's speed: compared with a bare loop, and on two processes that share a sequence.

Both sides of a comparison run side by side on one thread a process, and take turns: one is stopped
(SIGSTOP) while the other trains. A pair of turns gives a ratio of the seconds of a step; the report
contains their median and quartiles, and the ratio of processor time over all turns.

- `overhead`: `lccp-train` on the demo's model, documents and manifest, on two processes, compared
  with a loop of only transformers and DeepSpeed whose data is in memory.
- `sequence`: the demo's model and documents in rows of 8,192 tokens, one row a step: two processes
  with sequenceParallelSize 2 compared with one process.
- `wide`: the same with a random model of the demo's family that has 512 in place of 96 hidden
  units, and 4 layers: what is exchanged grows with the width, what is computed with its square.

    python benchmarks/training.py [overhead] [sequence] [wide] [--pairs 20] [--seconds 6]
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from paces.gangs import Bare, Gang, Ours, close_at_sigterm
from trainer_world import World

TINY = Path(__file__).parents[1] / "examples" / "tiny"
RATE, ROW, ROWS = "1.5e-4", 512, 8
LONG_ROW = 8_192
WIDE = {
    "hidden_size": 512,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 64,
}
STEPS = 1_000_000
SETTLE_SECONDS = 8.0
"""Time until a trainer's history contains its last steps."""


def world(folder: Path, name: str) -> World:
    """A world with the demo's model and documents."""
    root = folder / name
    for part in ("model", "data"):
        shutil.copytree(TINY / part, root / part)
    return World(root)


def run(
    made: World, row: int, rows: int, processes: int, micro: int, **deepspeed: int
) -> dict[str, Any]:
    """A manifest that trains without end, and saves nothing."""
    step = row * rows
    return made.document(
        model={"targetContextLength": row, "ropeBase": 1_000_000},
        data={
            "shortFraction": "0",
            "sources": [{"name": "long", "kind": "Long", "path": "data/long.jsonl.gz"}],
        },
        training={
            "tokens": STEPS * step,
            "globalBatchTokens": step,
            "microBatchSize": micro,
            "learningRate": RATE,
            "deepspeed": {"zeroStage": 1, **deepspeed},
        },
        topology={"nodes": processes},
        checkpoints={"everyTokens": STEPS * step},
    )


def overhead(folder: Path) -> tuple[Gang, Gang]:
    ours, bare = world(folder, "ours"), world(folder, "bare")
    document = run(ours, ROW, ROWS, processes=2, micro=ROWS // 2)
    return Ours(ours.start(document)), Bare(bare, ROW, ROWS, RATE)


def sequence(
    folder: Path, change: Callable[[Path], None] = lambda model: None
) -> tuple[Gang, Gang]:
    """`change` is called with the directory of each one's model before it starts."""
    shared, alone = world(folder, "shared"), world(folder, "alone")
    for made in (shared, alone):
        change(made.root / "model")
    two = run(shared, LONG_ROW, 1, processes=2, micro=1, sequenceParallelSize=2)
    one = run(alone, LONG_ROW, 1, processes=1, micro=1)
    return Ours(shared.start(two)), Ours(alone.start(one))


def wide(folder: Path) -> tuple[Gang, Gang]:
    return sequence(folder, widen)


def widen(model: Path) -> None:
    """Replace the model in a directory by a random one of WIDE's shape."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(model, **WIDE)
    AutoModelForCausalLM.from_config(config).save_pretrained(model)


def seconds_of_step(gang: Gang, turns: list[tuple[float, float]]) -> list[float]:
    """Seconds of a step in each turn, without the incomplete steps at its ends."""
    ends, found = gang.ended(), []
    for begun, over in turns:
        within = [at for at in ends if begun <= at <= over]
        if len(within) < 2:
            raise SystemExit(f"{len(within)} steps in a turn: give more --seconds")
        found.append((within[-1] - within[0]) / (len(within) - 1))
    return found


def compared(gangs: tuple[Gang, Gang], pairs: int, seconds: float) -> list[str]:
    """Let both take turns; returns the comparison of their seconds of a step, as reported."""
    turns: list[list[tuple[float, float]]] = [[], []]
    for gang in gangs:
        gang.warm()
    processor = [-gang.processor_seconds() for gang in gangs]
    for number in range(2 * pairs):
        which = (number + number // 2) % 2
        with gangs[which].going():
            begun = time.time()
            time.sleep(seconds)
            turns[which].append((begun, time.time()))
    for which, gang in enumerate(gangs):
        processor[which] += gang.processor_seconds()
        with gang.going():
            time.sleep(SETTLE_SECONDS)
    walls = [seconds_of_step(gang, of) for gang, of in zip(gangs, turns, strict=True)]
    ratios = [first / second for first, second in zip(*walls, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    of_processor = (
        processor[0] / processor[1] * steps_in(gangs[1], turns[1]) / steps_in(gangs[0], turns[0])
    )
    first, second = (statistics.median(of) for of in walls)
    return [
        f"{first:.3f} s",
        f"{second:.3f} s",
        f"{median:.3f} ({low:.3f} to {high:.3f})",
        f"{of_processor:.3f}",
    ]


def steps_in(gang: Gang, turns: list[tuple[float, float]]) -> int:
    """Number of steps that ended within turns."""
    return sum(begun <= at <= over for at in gang.ended() for begun, over in turns)


COMPARISONS: dict[str, tuple[Callable[[Path], tuple[Gang, Gang]], str]] = {
    "overhead": (overhead, "1.02"),
    "sequence": (sequence, "0.6"),
    "wide": (wide, "0.6"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(COMPARISONS), metavar="NAME")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=6, help="of a turn")
    asked = parser.parse_args()
    close_at_sigterm()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "deepspeed"))
    print(f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, {asked.pairs} pairs\n")
    print("| comparison | step | other's step | ratio (quartiles) | of processor time | target |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in asked.names or COMPARISONS:
        make, wanted = COMPARISONS[name]
        with tempfile.TemporaryDirectory() as folder:
            gangs = make(Path(folder))
            try:
                told = compared(gangs, asked.pairs, asked.seconds)
            finally:
                for gang in gangs:
                    gang.close()
        print(f"| {' | '.join([name, *told, f'<= {wanted}'])} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
