"""The evaluator compared with lm-evaluation-harness, decoding as published, and its own floor.

All in one run, on the same samples, weights and threads, in float32, each in a separate process:

    forked      perplexity and heads of the whole grid by the evaluator's engine
    harness     only perplexity, by lm-evaluation-harness at its best batch size
    decoding    only heads, by the procedure of Wu et al. (`ways/decoding.py`)
    floor       the operations that the forked grid needs, at the rate of the model's own
                matrices, which are multiplied between the engine's passes

Each peer computes every sample separately, at the same cost at every depth: it only reads the
depths of `--peer-depths`, and is counted for all. Ratios are of processor seconds, which other
load hardly changes. NLLs must agree. Needs lm-eval 0.4.13 in addition to the project's packages.

    python benchmarks/evaluator.py [--model DIR] [--lengths 1536 2048 ...] [--peer-depths 0 100]
        [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from platform import machine, python_version, system
from typing import TypeVar
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table
from ways.decoding import decoding
from ways.forked import Floor, forked, memory_at
from ways.harness import harness
from ways.task import Outcome, Task

from lccp_evaluator.starting import heap

MAKE_SMOLLM2 = Path(__file__).parent.parent / "examples" / "smollm2" / "make_smollm2.py"
LENGTHS = (1_536, 2_048, 2_560, 3_072, 3_584, 4_096)
"""A sixteenth of the six longest of the default grid at a context of 64K, 24K to 64K tokens."""

DEPTHS = tuple(range(0, 101, 10))
NEEDLES = 2
MEMORY_LENGTH = 8_192

T = TypeVar("T")


def alone(way: Callable[[Task], T], task: Task) -> T:
    """`way` in a separate process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(way, task).result()


def as_evaluator(way: Callable[[Task], T], task: Task) -> T:
    """`way` in a separate process, whose heap is set up as every evaluator's."""
    with patch.dict(os.environ, heap.tuned(os.environ)):
        return alone(way, task)


def comparison(ours: Outcome, harness: Outcome, decoding: Outcome, floor: Floor) -> Table:
    table = Table(title="The same grid")
    for column in ("", "CPU seconds", "ratio to ours", "memory above the model, MiB"):
        table.add_column(column, justify="right")
    own = ours.cost.cpu_seconds
    both = harness.cost.cpu_seconds + decoding.cost.cpu_seconds
    most = max(harness.cost.memory_mib, decoding.cost.memory_mib)
    rows = {
        "forked: perplexity and heads": (own, ours.cost.memory_mib),
        "harness: perplexity": (harness.cost.cpu_seconds, harness.cost.memory_mib),
        "harness and decoding: both": (both, most),
        f"floor: {floor.flops / 1e12:,.1f} TFLOP": (floor.cpu_seconds, None),
    }
    for name, (seconds, memory) in rows.items():
        memory_text = "" if memory is None else f"{memory:,.0f}"
        table.add_row(name, f"{seconds:,.1f}", f"{seconds / own:.2f}", memory_text)
    return table


def versions() -> str:
    packages = ("torch", "transformers", "lm_eval", "numpy")
    named = [f"{name} {metadata.version(name)}" for name in packages]
    where = f"{system()} {machine()}, {os.cpu_count()} cores"
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    return ", ".join([*named, f"Python {python_version()}", where, f"OMP_NUM_THREADS {threads}"])


def default_model() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "lccp" / "smollm2" / "model"
    if not folder.is_dir():
        subprocess.run([sys.executable, MAKE_SMOLLM2], check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="Hugging Face directory; default: SmolLM2")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--peer-depths", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    console = Console()
    console.print(versions())
    model = arguments.model or default_model()
    peers = tuple(arguments.peer_depths)
    task = Task(model, tuple(arguments.lengths), DEPTHS, NEEDLES, peers)
    ours, floor = as_evaluator(forked, task)
    theirs, heads = alone(harness, task), alone(decoding, task)
    console.print(comparison(ours, theirs, heads, floor))
    difference = max(abs(ours.nll[number] - nll) for number, nll in theirs.nll.items())
    correlation = np.corrcoef(np.ravel(ours.scores), np.ravel(heads.scores))[0, 1]
    console.print(
        f"{len(ours.nll)} samples, {len(theirs.nll)} of them read by the peers; largest difference "
        f"of an NLL {difference:.1e} nats; head scores under teacher forcing and in decoding "
        f"correlate by {correlation:.2f}"
    )
    memory, needed = as_evaluator(memory_at, Task(model, (MEMORY_LENGTH,), (0,), 1, (0,)))
    console.print(
        f"One sample of {MEMORY_LENGTH:,} tokens: {memory.memory_mib:,.0f} MiB above the model, "
        f"{memory.memory_mib / needed:.2f} times its keys, values and the activations of a pass"
    )
    if arguments.json:
        document = {"versions": versions(), "forked": asdict(ours), "floor": asdict(floor)}
        document |= {"harness": asdict(theirs), "decoding": asdict(heads)}
        document["memory"] = {"tokens": MEMORY_LENGTH, "mib": memory.memory_mib, "needed": needed}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if not difference < 1e-4:
        sys.exit(f"the ways disagree by {difference:.3g} nats")


if __name__ == "__main__":
    main()
