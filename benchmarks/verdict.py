"""How often the verdict is wrong: simulated runs, judged by the rule that ships.

A run has evenly or irregularly spaced checkpoints, a NIAH-PPL that falls by a constant true gain
per horizon, jitter between checkpoints, and sampling noise by haystack and needle. The horizon is
a quarter of the run. Counted run-wise: a run is falsely saturated if any of its checkpoints is.

    python benchmarks/verdict.py [--runs 2000] [--processes 2] [--json FILE]
"""

import argparse
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lccp.analysis.policy import Policy
from lccp.analysis.trajectory import NIAH_PPL, NIAH_SCORE, Signal, Trajectory
from lccp.analysis.verdict import judge_checkpoints
from lccp.api.objects.verdict import CheckpointVerdict, VerdictState

RUN_TOKENS = 1_000_000_000
HORIZON_TOKENS = RUN_TOKENS // 4
MIN_GAIN = 0.02
CHECKPOINTS = (5, 8, 12, 16, 20)
NOISE = (0.0, 0.001, 0.003, 0.006)
GAINS = (0.0, 1.0, 1.5)
HAYSTACKS, NEEDLES = 20, 2
HAYSTACK_SD, NEEDLE_SD = 0.004, 0.001
CHUNK = 250


@dataclass(frozen=True)
class Setting:
    """One kind of run."""

    checkpoints: int
    regular: bool
    noise: float
    """Jitter of log-PPL between checkpoints, standard deviation."""
    gain: float
    """True gain per horizon, in units of the least gain that pays."""


@dataclass(frozen=True)
class Rates:
    """How often the verdict said something."""

    saturated: float
    """Share of runs with a checkpoint that is Saturated."""
    regressing: float
    """The same for Regressing."""
    missed: float
    """Share of intervals that miss the true gain, on one side (mean of both)."""


def settings() -> Iterator[Setting]:
    for parts in product(CHECKPOINTS, (True, False), NOISE, GAINS):
        yield Setting(*parts)


def trajectory(setting: Setting, rng: np.random.Generator) -> Trajectory:
    """One simulated run."""
    n = setting.checkpoints
    tokens = np.linspace(RUN_TOKENS / n, RUN_TOKENS, n).astype(np.int64)
    if not setting.regular:
        tokens = np.sort(rng.choice(np.arange(1, 1_001), n, replace=False)) * (RUN_TOKENS // 1_000)
    rising = setting.gain * MIN_GAIN * tokens / HORIZON_TOKENS
    common = rising + rng.normal(0, setting.noise, n)
    haystacks = rng.normal(0, HAYSTACK_SD, (n, HAYSTACKS))
    needles = rng.normal(0, NEEDLE_SD, (n, NEEDLES))
    of_haystacks, of_needles = haystacks.mean(1, keepdims=True), needles.mean(1, keepdims=True)
    ppl = Signal(
        NIAH_PPL,
        common + (of_haystacks + of_needles)[:, 0],
        common[:, None] + haystacks + of_needles,
        common[:, None] + needles + of_haystacks,
    )
    ones = np.ones((n, NEEDLES))
    return Trajectory(
        tokens, {NIAH_PPL: ppl, NIAH_SCORE: Signal(NIAH_SCORE, ones[:, 0], ones, ones)}
    )


def simulate(job: tuple[Setting, int, int]) -> tuple[Setting, np.ndarray]:
    """Over `runs` runs: how many are saturated, regressing; ends of intervals that miss; all."""
    setting, seed, runs = job
    rng = np.random.default_rng(seed)
    policy = Policy(HORIZON_TOKENS, MIN_GAIN)
    counts = np.zeros(4)
    for _ in range(runs):
        checkpoints = judge_checkpoints(trajectory(setting, rng), policy)
        states = {checkpoint.state for checkpoint in checkpoints}
        said = [state in states for state in (VerdictState.SATURATED, VerdictState.REGRESSING)]
        counts += (*said, *missed(checkpoints, setting.gain * MIN_GAIN))
    return setting, counts


def missed(checkpoints: tuple[CheckpointVerdict, ...], true: float) -> tuple[int, int]:
    """Ends of NIAH-PPL's intervals on the wrong side of the true gain, and all ends."""
    gains = [g for c in checkpoints for g in c.gains if g.signal == NIAH_PPL]
    return sum((g.lower > true) + (g.upper < true) for g in gains), 2 * len(gains)


def measure(runs: int, processes: int) -> dict[Setting, Rates]:
    chunks = -(-runs // CHUNK)
    jobs = [
        (setting, 1_000 * i + chunk, CHUNK)
        for i, setting in enumerate(settings())
        for chunk in range(chunks)
    ]
    totals: dict[Setting, np.ndarray] = {}
    with Progress() as progress, multiprocessing.Pool(processes) as pool:
        task = progress.add_task("simulating runs", total=len(jobs))
        for setting, counts in pool.imap_unordered(simulate, jobs):
            totals[setting] = totals.get(setting, np.zeros(4)) + counts
            progress.advance(task)
    return {setting: rates(totals[setting], chunks * CHUNK) for setting in settings()}


def rates(counts: np.ndarray, runs: int) -> Rates:
    return Rates(counts[0] / runs, counts[1] / runs, counts[2] / max(1, counts[3]))


def table(measured: dict[Setting, Rates], runs: int) -> Table:
    shown = Table(title=f"{runs:,} simulated runs a cell, δ = {MIN_GAIN}, T = run / 4")
    for column in ("checkpoints", "spacing", "jitter σ", "Saturated at gain 0", "at δ", "at 1.5 δ"):
        shown.add_column(column, justify="right")
    for n, regular, noise in product(CHECKPOINTS, (True, False), NOISE):
        cells = [measured[Setting(n, regular, noise, gain)].saturated for gain in GAINS]
        spacing = "regular" if regular else "irregular"
        shown.add_row(str(n), spacing, str(noise), *(f"{100 * cell:.2f} %" for cell in cells))
    return shown


def worst(measured: dict[Setting, Rates], gain: float) -> tuple[Setting, float]:
    """The setting with the most false saturations at a true gain, and their share."""
    cells = {s: r.saturated for s, r in measured.items() if s.gain == gain}
    return max(cells.items(), key=lambda item: item[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000, help="runs a cell")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--json", type=Path, help="write all rates to this file")
    arguments = parser.parse_args()
    measured, console = measure(arguments.runs, arguments.processes), Console()
    console.print(table(measured, arguments.runs))
    for gain in (1.0, 1.5):
        setting, share = worst(measured, gain)
        console.print(f"Worst false Saturated at {gain:g} δ: {100 * share:.2f} % ({setting})")
    most = max(rates.missed for rates in measured.values())
    console.print(f"Most one-sided misses of an interval: {100 * most:.2f} %")
    if arguments.json:
        rows = [asdict(setting) | asdict(rate) for setting, rate in measured.items()]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
