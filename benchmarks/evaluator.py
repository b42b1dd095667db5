"""The evaluator's one pass against the naive way, on SmolLM2-135M-Instruct, in the same run.

The naive way is what evaluations of perplexity and of retrieval heads do, each in its own pass:

1. perplexity: a forward pass with the logits of all rows, and their log-softmax in float32;
2. heads (Wu et al. 2024): prefill of all but the last prompt token with fast attention, then greedy
   decoding of at most 50 tokens, up to the first newline, with a KV cache and eager attention that
   returns its weights. Here the arg-max over keys is taken for all heads of a layer at once, which
   is kinder than their loop.

Both read the same samples with the same weights, threads and float32, in processes of their own, so
that peak memory is each one's. Their NLLs must agree. The memory of the one pass is then measured
by length.

    python benchmarks/evaluator.py [--model DIR] [--lengths 512 1024 2048] [--json FILE]
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from platform import machine, python_version, system
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from lccp.api.spec.evaluation import NiahProbe, ProbesSpec

MAKE_SMOLLM2 = Path(__file__).parent.parent / "examples" / "smollm2" / "make_smollm2.py"
NEW_TOKENS = 50
DEPTHS_PERCENT = (0, 50)
HAYSTACKS = 2
MEMORY_LENGTHS = (1_024, 2_048, 4_096, 8_192)
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Task:
    """A model, and the settings of the samples that it answers."""

    model: Path
    niah: NiahProbe


@dataclass(frozen=True)
class Outcome:
    """Of one way, loading left out: time, peak memory in MiB, NLL by sample, mean head scores."""

    seconds: float
    cpu_seconds: float
    loaded_mib: float
    peak_mib: float
    nll: list[float]
    scores: list[list[float]]


class Stopwatch:
    """Seconds since it was made: of the clock, and of the processor, which others do not change."""

    def __init__(self) -> None:
        self._start = time.monotonic(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.monotonic() - self._start[0], time.process_time() - self._start[1]


def one_pass(task: Task) -> Outcome:
    """The evaluator's engine, batch by batch as it plans them."""
    from lccp_evaluator.engine import Engine
    from lccp_evaluator.evaluation import batches
    from lccp_evaluator.execution import ExecutionPlan
    from lccp_evaluator.model import load_model
    from lccp_evaluator.probes import niah, retrieval_heads
    from lccp_evaluator.records import Records

    frozen = _frozen(task)
    plan = ExecutionPlan.here(task.niah.lengths)
    engine = Engine(load_model(task.model, plan))
    loaded, watch = _peak_mib(), Stopwatch()
    readings = []
    for batch in batches(frozen.samples, plan):
        readings += engine.read([frozen.passage(sample) for sample in batch])
    times = watch.read()
    records, probes = Records(frozen, readings), ProbesSpec(niah=task.niah)
    scores = retrieval_heads.arrays(records, probes)["scores"].mean(axis=0)
    nll = niah.Values.of(records).nll
    return Outcome(*times, loaded, _peak_mib(), nll.tolist(), scores.tolist())


def naive(task: Task) -> Outcome:
    """Perplexity from full logits, heads from decoding, one sample at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    from lccp_evaluator.tokenization import Tokenizer

    frozen = _frozen(task)
    model = AutoModelForCausalLM.from_pretrained(
        task.model, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    ends = {model.config.eos_token_id, *Tokenizer(task.model).opening("\n").ids}
    loaded, watch = _peak_mib(), Stopwatch()
    nll, scores = [], []
    with torch.inference_mode():
        for sample in frozen.samples:
            passage = frozen.passage(sample)
            nll.append(_nll_from_full_logits(model, passage))
            scores.append(_scores_from_decoding(model, passage, ends))
    mean = np.mean(scores, axis=0)
    return Outcome(*watch.read(), loaded, _peak_mib(), nll, mean.tolist())


def memory_at(task: Task) -> Outcome:
    """The one pass over the first sample alone."""
    from lccp_evaluator.engine import Engine
    from lccp_evaluator.execution import ExecutionPlan
    from lccp_evaluator.model import load_model

    frozen = _frozen(task)
    engine = Engine(load_model(task.model, ExecutionPlan.here(task.niah.lengths)))
    loaded, watch = _peak_mib(), Stopwatch()
    reading = engine.read([frozen.passage(frozen.samples[0])])[0]
    return Outcome(*watch.read(), loaded, _peak_mib(), [float(reading.nll.mean())], [])


def _nll_from_full_logits(model: Any, passage: Any) -> float:
    import torch

    ids = torch.tensor(passage.ids[None])
    log_p = model(ids, use_cache=False).logits.float().log_softmax(-1)[0]
    rows = torch.arange(*passage.answer) - 1
    return float(-log_p[rows, ids[0, rows + 1]].mean())


def _scores_from_decoding(model: Any, passage: Any, ends: set[int]) -> np.ndarray:
    """Share of the needle's tokens that each head copies in decoding [layers, heads]."""
    import torch
    from transformers import DynamicCache

    prompt = torch.tensor(passage.ids[None, : passage.answer[0]])
    start, stop = passage.needle
    cache = DynamicCache(config=model.config)
    model.set_attn_implementation("sdpa")
    model(prompt[:, :-1], past_key_values=cache, logits_to_keep=1)
    model.set_attn_implementation("eager")
    token, copied = prompt[:, -1:], []
    for _ in range(NEW_TOKENS):
        output = model(token, past_key_values=cache, output_attentions=True)
        token = output.logits[:, -1].argmax(-1, keepdim=True)
        looked_at = torch.stack([layer[0, :, -1].argmax(-1) for layer in output.attentions])
        in_needle = (looked_at >= start) & (looked_at < stop)
        is_copy = in_needle & (prompt[0, looked_at.clamp(max=prompt.shape[1] - 1)] == token[0, 0])
        copied.append(is_copy.numpy())
        if token.item() in ends:
            break
    return np.sum(copied, axis=0) / (stop - start)


def _frozen(task: Task) -> Any:
    from lccp_evaluator.drawing import draw
    from lccp_evaluator.tokenization import Tokenizer, tokenizer_digest

    return draw(task.niah, Tokenizer(task.model), tokenizer_digest(task.model), Path())


def _peak_mib() -> float:
    """Peak resident memory of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEBIBYTE


def _alone(way: Callable[[Task], Outcome], task: Task) -> Outcome:
    """`way` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(way, task).result()


def _settings(lengths: list[int], depths: tuple[int, ...], haystacks: int) -> NiahProbe:
    from lccp_evaluator.settings import resolved

    niah = NiahProbe(
        lengths=tuple(lengths),
        depths_percent=depths,
        haystacks=haystacks,
        needles_per_haystack=1,
    )
    return resolved(niah, max(lengths))


def comparison(ours: Outcome, theirs: Outcome) -> Table:
    table = Table(title="The same samples, both ways")
    for column in ("", "one pass", "naive", "ratio"):
        table.add_column(column, justify="right")
    rows = {
        "seconds": (ours.seconds, theirs.seconds),
        "CPU seconds": (ours.cpu_seconds, theirs.cpu_seconds),
        "memory above the model, MiB": (
            ours.peak_mib - ours.loaded_mib,
            theirs.peak_mib - theirs.loaded_mib,
        ),
    }
    for name, (one, other) in rows.items():
        table.add_row(name, f"{one:,.1f}", f"{other:,.1f}", f"{other / one:.2f}")
    return table


def memory_table(measured: dict[int, Outcome]) -> Table:
    table = Table(title="Memory of the one pass by length, one sample")
    for column in ("tokens", "above the model, MiB", "KiB a token", "CPU seconds"):
        table.add_column(column, justify="right")
    for length, outcome in measured.items():
        above = outcome.peak_mib - outcome.loaded_mib
        per_token = f"{1_024 * above / length:.1f}"
        table.add_row(f"{length:,}", f"{above:,.0f}", per_token, f"{outcome.cpu_seconds:.1f}")
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
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1_024, 2_048])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    arguments = parser.parse_args()
    model, console = arguments.model or _default_model(), Console()
    task = Task(model, _settings(arguments.lengths, DEPTHS_PERCENT, HAYSTACKS))
    console.print(versions())
    ours, theirs = _alone(one_pass, task), _alone(naive, task)
    difference = np.abs(np.subtract(ours.nll, theirs.nll)).max()
    correlation = np.corrcoef(np.ravel(ours.scores), np.ravel(theirs.scores))[0, 1]
    console.print(comparison(ours, theirs))
    console.print(
        f"{len(ours.nll)} samples; largest difference of an NLL {difference:.1e} nats; head scores "
        f"under teacher forcing and in decoding correlate by {correlation:.2f}"
    )
    memory = {
        length: _alone(memory_at, Task(model, _settings([length], (0,), 2)))
        for length in MEMORY_LENGTHS
    }
    console.print(memory_table(memory))
    if arguments.json:
        document = {"versions": versions(), "one_pass": asdict(ours), "naive": asdict(theirs)}
        document["memory"] = {length: asdict(outcome) for length, outcome in memory.items()}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    if not difference < 1e-4:
        sys.exit(f"the two ways disagree by {difference:.3g} nats")


if __name__ == "__main__":
    main()
