"""How long a save blocks the training, and what it costs, as a fraction of a step.

`lccp-train` trains the demo's model and documents on two processes of one thread each, as
`benchmarks/training.py overhead` does, and saves a state every few steps, some of them with a
checkpoint. *Held* is the time for saving in the attempt's ledger, per save. *Behind* is how much
longer a step is that begins with a save, which includes writing beside the training on the same
cores. *Cost* compares two such trainings that take turns, one with a state after every step, one
with none: the processor time of the first over that of the second is what a save takes in all.

    python benchmarks/saves.py [--steps 60] [--pairs 10] [--seconds 8]
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from paces.gangs import Ours, close_at_sigterm
from trainer_world import Attempt
from training import ROW, ROWS, compared, run, world

STATE_STEPS, CHECKPOINT_STEPS = 5, 15
WARM_STEPS = 3
STEP = ROW * ROWS


def seconds_of_steps(folder: Path, steps: int) -> tuple[dict[int, float], float]:
    """Seconds from the end of each step to the next one's, by step; and those spent saving."""
    checkpoints = {"everyTokens": CHECKPOINT_STEPS * STEP, "stateEveryTokens": STATE_STEPS * STEP}
    attempt = started(folder, "saves", checkpoints, tokens=steps * STEP)
    try:
        if attempt.process.wait() != 0:
            raise SystemExit(attempt.log)
    finally:
        attempt.process.kill()
    ends = {record.step: record.at.timestamp() for record in attempt.history}
    between = {first: ends[second] - ends[first] for first, second in pairwise(sorted(ends))}
    return between, attempt.heartbeat.ledger.saving


def started(folder: Path, name: str, checkpoints: dict[str, int], **training: int) -> Attempt:
    """A training on the demo's model, in a world of this name."""
    made = world(folder, name)
    document = run(made, ROW, ROWS, processes=2, micro=ROWS // 2)
    document["spec"]["training"] |= training
    document["spec"]["checkpoints"] |= checkpoints
    return made.start(document)


def cost(folder: Path, pairs: int, seconds: float) -> str:
    """A row: steps with a state each, and without, that take turns."""
    gangs = (
        Ours(started(folder, "each", {"stateEveryTokens": STEP})),
        Ours(started(folder, "none", {})),
    )
    try:
        return " | ".join(compared(gangs, pairs, seconds))
    finally:
        for gang in gangs:
            gang.close()


def told(what: str, seconds: Iterable[float], step: float) -> str:
    """A row: the number of saves of a kind, and the delay of the steps after them."""
    kind = list(seconds)
    behind = statistics.median(kind) - step
    return f"| {what} | {len(kind)} | {behind:.3f} s | {behind / step:.1%} | <= 5 % |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60, help=f"a multiple of {CHECKPOINT_STEPS}")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8, help="of a turn")
    asked = parser.parse_args()
    close_at_sigterm()
    with tempfile.TemporaryDirectory() as folder:
        between, saving = seconds_of_steps(Path(folder), asked.steps)
    warm = {number: seconds for number, seconds in between.items() if number > WARM_STEPS}
    step = statistics.median(s for n, s in warm.items() if n % STATE_STEPS)
    with_checkpoint = [s for n, s in warm.items() if n % CHECKPOINT_STEPS == 0]
    alone = [s for n, s in warm.items() if n % STATE_STEPS == 0 and n % CHECKPOINT_STEPS]
    held = saving / (asked.steps // STATE_STEPS)
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "deepspeed"))
    print(f"{date.today()}, Python {sys.version.split()[0]}, {libraries}, a step {step:.3f} s\n")
    print("| save | saves | behind | of a step | target |")
    print("| --- | --- | --- | --- | --- |")
    print(told("a state", alone, step))
    print(told("a state and a checkpoint", with_checkpoint, step))
    print(f"| held, by the ledger | {len(alone) + len(with_checkpoint)} | {held:.3f} s |", end="")
    print(f" {held / step:.1%} | <= 5 % |\n")
    print("| cost | step | without | ratio (quartiles) | of processor time | target |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"| a state every step | {cost(Path(folder), asked.pairs, asked.seconds)} | <= 1.05 |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
