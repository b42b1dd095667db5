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
import ctypes
import json
import math
import multiprocessing
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from platform import machine, python_version, system
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lccp.probes.niah import NiahSettings

if TYPE_CHECKING:
    from lccp_evaluator.sampling.samples import FrozenSamples

MAKE_SMOLLM2 = Path(__file__).parent.parent / "examples" / "smollm2" / "make_smollm2.py"
NEW_TOKENS = 50
DEPTHS_PERCENT = (0, 50)
HAYSTACKS = 2
MEMORY_LENGTHS = (512, 1_024, 2_048, 4_096)
SAMPLE_SECONDS = 0.005


@dataclass(frozen=True)
class Task:
    """A model, and the settings of the samples that it answers."""

    model: Path
    niah: NiahSettings


@dataclass
class Cost:
    """Seconds of the clock and of the processor, which others do not change, and memory in MiB."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory_mib: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What one way cost, loading left out; NLL by sample, and mean head scores.

    `late_cpu_seconds` is the share of decoding after the first newline.
    """

    cost: Cost
    nll: list[float]
    scores: list[list[float]]
    late_cpu_seconds: float = 0.0


@contextmanager
def costing() -> Iterator[Cost]:
    """What the code inside costs: its time, and how far its memory rises above what is held now."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)  # what loading has freed is given back
    cost, held, done = Cost(), _resident_mib(), threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            cost.memory_mib = max(cost.memory_mib, _resident_mib() - held)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    start = time.monotonic(), time.process_time()
    yield cost
    cost.seconds, cost.cpu_seconds = time.monotonic() - start[0], time.process_time() - start[1]
    done.set()


def _resident_mib() -> float:
    """Memory of this process without files (Linux); elsewhere its peak."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = next(row for row in status.read_text().splitlines() if row.startswith("RssAnon"))
    return int(line.split()[1]) / 2**10


def one_pass(task: Task) -> Outcome:
    """The evaluator's engine, haystack by haystack."""
    from lccp.probes.retrieval_heads import RetrievalHeadsSettings
    from lccp_evaluator.model.execution import ExecutionPlan
    from lccp_evaluator.model.loading import load_model
    from lccp_evaluator.passes.engine import Engine
    from lccp_evaluator.probes import niah, retrieval_heads
    from lccp_evaluator.records import Records

    frozen = _frozen(task)
    plan = ExecutionPlan.here()
    engine = Engine(load_model(task.model, plan).model, "Forked", plan.step_tokens)
    found = {}
    with costing() as cost:
        for numbers in frozen.cohorts():
            passages = [frozen.passage(frozen.samples[number]) for number in numbers]
            found |= zip(numbers, engine.read(passages), strict=True)
    readings = [found[number] for number in range(len(found))]
    records = Records(frozen, frozen.samples, readings)
    scores = retrieval_heads.sample_scores(records, RetrievalHeadsSettings()).mean(axis=0)
    nll = niah.Values.of(records).nll
    return Outcome(cost, nll.tolist(), scores.tolist())


def naive(task: Task) -> Outcome:
    """Perplexity from full logits, heads from decoding, one sample at a time."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    from lccp_evaluator.sampling.tokenization import Tokenizer

    frozen = _frozen(task)
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        task.model, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    newline = Tokenizer(task.model).opening("\n").ids[-1]
    nll, scores, late = [], [], 0.0
    with costing() as cost, torch.inference_mode():
        for sample in frozen.samples:
            passage = frozen.passage(sample)
            nll.append(_nll_from_full_logits(model, passage))
            decoded, late_seconds = _scores_from_decoding(model, passage, newline)
            scores.append(decoded)
            late += late_seconds
    return Outcome(cost, nll, np.mean(scores, axis=0).tolist(), late)


def memory_at(task: Task) -> Outcome:
    """The one pass over the first sample alone."""
    from lccp_evaluator.model.execution import ExecutionPlan
    from lccp_evaluator.model.loading import load_model
    from lccp_evaluator.passes.engine import Engine

    frozen = _frozen(task)
    plan = ExecutionPlan.here()
    engine = Engine(load_model(task.model, plan).model, "Forked", plan.step_tokens)
    with costing() as cost:
        reading = engine.read([frozen.passage(frozen.samples[0])])[0]
    return Outcome(cost, [float(reading.nll.mean())], [])


def _nll_from_full_logits(model: Any, passage: Any) -> float:
    import torch

    ids = torch.tensor(passage.ids[None])
    log_p = model(ids, use_cache=False).logits.float().log_softmax(-1)[0]
    rows = torch.arange(*passage.answer) - 1
    return float(-log_p[rows, ids[0, rows + 1]].mean())


def _scores_from_decoding(model: Any, passage: Any, newline: int) -> tuple[np.ndarray, float]:
    """Share of the needle's tokens that each head copies in decoding [layers, heads]; CPU seconds
    after the first newline."""
    import torch
    from transformers import DynamicCache

    prompt = torch.tensor(passage.ids[None, : passage.answer[0]])
    start, stop = passage.needle
    cache = DynamicCache(config=model.config)
    model.set_attn_implementation("sdpa")
    model(prompt[:, :-1], cache=cache)
    model.set_attn_implementation("eager")
    token, copied, ended = prompt[:, -1:], [], math.inf
    for _ in range(NEW_TOKENS):
        output = model(token, cache=cache, output_attentions=True)
        token = output.logits[:, -1].argmax(-1, keepdim=True)
        looked_at = torch.stack([layer[0, :, -1].argmax(-1) for layer in output.attentions])
        in_needle = (looked_at >= start) & (looked_at < stop)
        is_copy = in_needle & (prompt[0, looked_at.clamp(max=prompt.shape[1] - 1)] == token[0, 0])
        copied.append(is_copy.numpy())
        if token.item() == newline:
            ended = min(ended, time.process_time())
    late = max(0.0, time.process_time() - ended)
    return np.sum(copied, axis=0) / (stop - start), late


def _frozen(task: Task) -> "FrozenSamples":
    from lccp.tokenizer import tokenizer_digest
    from lccp_evaluator.sampling import crossing
    from lccp_evaluator.sampling.samples import FrozenSamples
    from lccp_evaluator.sampling.tokenization import Tokenizer

    tokenizer, digest = Tokenizer(task.model), tokenizer_digest(task.model)
    drawn, settings = crossing.draw(task.niah, tokenizer, Path()), task.niah.document()
    return FrozenSamples.of(drawn, "niah", crossing.VERSION, settings, digest, tokenizer.vocabulary)


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
