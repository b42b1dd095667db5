"""The evaluator's one pass against the naive way, on SmolLM2-135M-Instruct, in the same run.

The naive way is what evaluations of perplexity and of retrieval heads do, each in its own pass:

1. perplexity: a forward pass with the logits of all rows, and their log-softmax in float32;
2. heads (Wu et al. 2024): prefill of all but the last prompt token with fast attention (and, as
   there, all logits), then greedy decoding of 50 tokens with a KV cache and eager attention that
   returns its weights. Their early stop names tokens of Llama's tokenizer; what a stop at the first
   newline would save is measured and said. Here the arg-max over keys is taken for all heads of a
   layer at once, which is kinder than their loop.

Both read the same samples with the same weights, threads and float32, in processes of their own, so
that peak memory is each one's. Their NLLs must agree. The memory of the one pass is then measured
by length.

    python benchmarks/evaluator.py [--model DIR] [--lengths 256 512 1024] [--json FILE]
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

import numpy as np
from rich.console import Console
from rich.table import Table
from ways.cost import Cost
from ways.naive import naive
from ways.one_pass import memory_at, one_pass
from ways.task import Outcome, Task

from lccp.probes.niah import NiahSettings

MAKE_SMOLLM2 = Path(__file__).parent.parent / "examples" / "smollm2" / "make_smollm2.py"
DEPTHS_PERCENT = (0, 50)
HAYSTACKS = 2
MEMORY_LENGTHS = (512, 1_024, 2_048, 4_096)


def _alone(way: Callable[[Task], Outcome], task: Task) -> Outcome:
    """`way` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(way, task).result()


def _settings(lengths: list[int], depths: tuple[int, ...], haystacks: int) -> NiahSettings:
    from lccp.probes.niah import resolved
    from lccp.probes.probe import Contexts

    niah = NiahSettings(
        lengths=tuple(lengths),
        depths_percent=depths,
        haystacks=haystacks,
        needles_per_haystack=1,
    )
    longest = max(lengths)
    return resolved(niah, Contexts(longest, longest, longest))


def comparison(ours: Cost, theirs: Cost) -> Table:
    table = Table(title="The same samples, both ways")
    for column in ("", "one pass", "naive", "ratio"):
        table.add_column(column, justify="right")
    rows = {
        "seconds": (ours.seconds, theirs.seconds),
        "CPU seconds": (ours.cpu_seconds, theirs.cpu_seconds),
        "memory above the model, MiB": (ours.memory_mib, theirs.memory_mib),
    }
    for name, (one, other) in rows.items():
        table.add_row(name, f"{one:,.1f}", f"{other:,.1f}", f"{other / one:.2f}")
    return table


def memory_table(measured: dict[int, Cost]) -> Table:
    table = Table(title="Memory of the one pass by length, one sample")
    for column in ("tokens", "above the model, MiB", "KiB a token", "CPU seconds"):
        table.add_column(column, justify="right")
    for length, cost in measured.items():
        per_token = f"{1_024 * cost.memory_mib / length:.1f}"
        row = (f"{length:,}", f"{cost.memory_mib:,.0f}", per_token, f"{cost.cpu_seconds:.1f}")
        table.add_row(*row)
    return table


def versions() -> str:
    named = [f"{name} {metadata.version(name)}" for name in ("torch", "transformers", "numpy")]
    where = f"{system()} {machine()}, {os.cpu_count()} cores"
    threads = os.environ.get("OMP_NUM_THREADS", "default")
    return ", ".join([*named, f"Python {python_version()}", where, f"OMP_NUM_THREADS {threads}"])


def _default_model() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(cache) / "lccp" / "smollm2" / "model"
    if not folder.is_dir():
        subprocess.run([sys.executable, MAKE_SMOLLM2], check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="Hugging Face directory; default: SmolLM2")
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 512, 1_024])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    model, console = arguments.model or _default_model(), Console()
    task = Task(model, _settings(arguments.lengths, DEPTHS_PERCENT, HAYSTACKS))
    console.print(versions())
    ours, theirs = _alone(one_pass, task), _alone(naive, task)
    difference = np.abs(np.subtract(ours.nll, theirs.nll)).max()
    correlation = np.corrcoef(np.ravel(ours.scores), np.ravel(theirs.scores))[0, 1]
    console.print(comparison(ours.cost, theirs.cost))
    early = (theirs.cost.cpu_seconds - theirs.late_cpu_seconds) / ours.cost.cpu_seconds
    console.print(f"Were decoding stopped at the first newline, the CPU ratio would be {early:.2f}")
    console.print(
        f"{len(ours.nll)} samples; largest difference of an NLL {difference:.1e} nats; head scores "
        f"under teacher forcing and in decoding correlate by {correlation:.2f}"
    )
    memory = {
        length: _alone(memory_at, Task(model, _settings([length], (0,), 2))).cost
        for length in MEMORY_LENGTHS
    }
    console.print(memory_table(memory))
    if arguments.json:
        document = {"versions": versions(), "one_pass": asdict(ours), "naive": asdict(theirs)}
        document["memory"] = {length: asdict(cost) for length, cost in memory.items()}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if not difference < 1e-4:
        sys.exit(f"the two ways disagree by {difference:.3g} nats")


if __name__ == "__main__":
    main()
