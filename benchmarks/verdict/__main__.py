"""How often the verdict is wrong, and when it decides: simulated runs, judged by the shipped rules.

Gains are in units of the least gain that pays (δ), tokens in horizons (T). The counts of a cell
are, run by run: Saturated at any checkpoint, and within four horizons of the first; Regressing;
and how many checkpoints after the first Saturated keep it. A cell that misses a bar is simulated
again with ten times as many new runs, since some of thousands miss it by chance.

    python benchmarks/verdict [--runs 400] [--gains 0 1] [--processes 2] [--json FILE] [--quick]

`benchmarks/verdict/courses.py` has courses that bend, turn or drop, and the forecast.
"""

import argparse
import json
import multiprocessing
import sys
import time
from dataclasses import asdict
from itertools import product
from pathlib import Path

from bars import bars, broken
from cells import CHECKPOINTS, GAINS, HORIZONS, SIGMAS, Cell, Counts, cells, simulate
from tables import head, percent, row

from lccp.analysis.simulation import NOISES

AGAIN = 10


def job(asked: tuple[Cell, int, int]) -> tuple[Cell, Counts]:
    cell, runs, seed = asked
    return cell, simulate(cell, runs, seed)


def measure(chosen: list[Cell], runs: int, processes: int, first_seed: int) -> dict[Cell, Counts]:
    """Simulate all cells, then those that miss a bar again."""
    jobs = [(cell, runs, first_seed + i) for i, cell in enumerate(chosen)]
    with multiprocessing.Pool(processes) as pool:
        found = dict(pool.imap_unordered(job, jobs, chunksize=8))
        breaking = [cell for cell, counts in found.items() if broken(cell, counts)]
        again = [(c, AGAIN * runs, first_seed + 10**6 + i) for i, c in enumerate(breaking)]
        found |= dict(pool.imap_unordered(job, again))
    return found


def curves(found: dict[Cell, Counts]) -> list[str]:
    """Shares of runs that are Saturated, by true gain; independent noise and 8 x 4 clusters."""
    gains = [f"{gain:g} δ" for gain in GAINS]
    lines = head("checkpoints a T", "σ", *gains, "0 δ, within 4 T", "Regressing at 0")
    for (checkpoints, horizons), sigma in product(product(CHECKPOINTS, HORIZONS), SIGMAS):
        totals = [total(found, gain, checkpoints, horizons, sigma) for gain in GAINS]
        if not all(counts.runs for counts in totals):
            continue
        still = totals[0]
        counted = [counts.saturated / counts.runs for counts in totals]
        counted += [still.within_four / still.runs, still.regressing / still.runs]
        density = f"{checkpoints / horizons:g} ({checkpoints} in {horizons} T)"
        lines.append(row(density, f"{sigma:g}", *(f"{100 * share:.1f}" for share in counted)))
    return lines


def total(
    found: dict[Cell, Counts], gain: float, checkpoints: int, horizons: int, sigma: float
) -> Counts:
    summed = Counts()
    for regular, noise in product((True, False), NOISES):
        cell = Cell(gain, checkpoints, horizons, regular, sigma, noise, 8, 4)
        if noise != "AR .5" and cell in found:
            summed += found[cell]
    return summed


def misses(found: dict[Cell, Counts]) -> list[str]:
    """Shares by the noise's shape, on either side."""
    lines = head("noise", "below", "above")
    for noise in NOISES:
        of = [counts for cell, counts in found.items() if cell.noise == noise]
        gains = sum(counts.gains for counts in of)
        ends = (sum(counts.below for counts in of), sum(counts.above for counts in of))
        lines.append(row(noise, *(percent(missed / gains, 1) for missed in ends)))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400, help="runs a cell")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument(
        "--gains", type=float, nargs="+", choices=GAINS, default=GAINS, help="true gains, in δ"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only 8 T, σ .1, .3, .6, 10 x 2 and 8 x 4"
    )
    parser.add_argument("--json", type=Path, help="write all counts to this file")
    arguments = parser.parse_args()
    started = time.monotonic()
    chosen = [cell for cell in cells(arguments.quick) if cell.gain in arguments.gains]
    found = measure(chosen, arguments.runs, arguments.processes, first_seed=0)
    sections = {
        "Bars": bars(found),
        "Saturated, percent of runs, by true gain a horizon (8 x 4 clusters)": curves(found),
        "Ends of gains' intervals that miss the true gain (nominal: 5 %)": misses(found),
    }
    for title, lines in sections.items():
        print(f"\n### {title}\n", *lines, sep="\n")
    runs, minutes = sum(n.runs for n in found.values()), (time.monotonic() - started) / 60
    print(f"\n{len(found):,} cells, {runs:,} runs, {minutes:.0f} minutes.")
    if arguments.json:
        rows = [asdict(cell) | asdict(counts) for cell, counts in found.items()]
        arguments.json.write_text(json.dumps(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
