"""Every family in each kind of layout against plain PyTorch: losses, gradient norms and weights.

Each case makes twenty steps in float32 of a tiny model, as processes of this machine; plain PyTorch
runs every document separately. The largest differences of each column are reported, and the cases
beyond those that sums in another order explain. Results are stored in exactness.json, from which
the page of parallel layouts is rendered.

    python benchmarks/exactness.py [--family qwen3_moe …] [--processes 2 4] [--steps 20]
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "support" / "models")]

from equality import Differences, Outcome, make_model, plain, trained  # noqa: E402

from layouts import FAMILIES, RECORD, Case, whole  # noqa: E402
from reference.parallelism import COLUMNS  # noqa: E402


def compared(cases: list[Case], folder: Path) -> dict[Case, Differences]:
    """The differences of each case; all have the same family and number of processes."""
    expected = _expected(cases[0].family, cases[0].steps, folder)
    found = trained(cases, folder)
    return {case: _differences(found[case], expected) for case in cases}


@cache
def _expected(family: str, steps: int, folder: Path) -> Outcome:
    return plain(family, make_model(family, folder), steps)


def _differences(found: Outcome, expected: Outcome) -> Differences:
    if set(found.weights) != set(expected.weights):
        raise AssertionError("the weights have other names than those of the model")
    return Differences.of(found, expected)


def tables(found: dict[Case, Differences]) -> Table:
    """The largest differences by family, processes and column."""
    table = Table("family", "processes", "layout", "cases", "loss", "norm", "weight", "held out")
    for family, processes in sorted({(case.family, case.processes) for case in found}):
        mine = {c: d for c, d in found.items() if (c.family, c.processes) == (family, processes)}
        for name, has in COLUMNS.items():
            parts = [difference for case, difference in mine.items() if has(case)]
            if parts:
                worst = [max(getattr(d, field) for d in parts) for field in asdict(parts[0])]
                numbers = [f"{value:.1e}" for value in worst]
                table.add_row(family, str(processes), name, str(len(parts)), *numbers)
    return table


def record(found: dict[Case, Differences]) -> None:
    """Store the results, replacing earlier ones of the same layouts."""
    lines = [
        {
            "case": asdict(case),
            **asdict(difference),
            "small": difference.small,
            "date": str(date.today()),
        }
        for case, difference in found.items()
    ]
    known = json.loads(RECORD.read_text()) + lines
    by_layout = {Case(**line["case"] | {"steps": 0}).name: line for line in known}
    text = ",\n".join(json.dumps(by_layout[name]) for name in sorted(by_layout))
    RECORD.write_text(f"[\n{text}\n]\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--processes", nargs="+", type=int, choices=(2, 4), default=[2, 4])
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)  # More would only wait for each other in models of this size.
    found: dict[Case, Differences] = {}
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        for family in asked.family:
            for processes in asked.processes:
                group = (family, processes)
                cases = [c for c in whole(asked.steps) if (c.family, c.processes) == group]
                started = time.monotonic()
                found |= compared(cases, Path(folder))
                took = time.monotonic() - started
                console.print(f"{family}, {processes} processes: {len(cases)} cases, {took:.0f} s")
                record(found)
    console.print(tables(found))
    far = [case.name for case, difference in found.items() if not difference.small]
    console.print(f"{len(found)} cases, {len(far)} of them beyond the bounds: {', '.join(far)}")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
