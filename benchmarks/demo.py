"""The demo's run over several seeds: does it pass through the three states, and stop in time?

Each seed changes the order of the documents and the training, but not model, rule and thresholds. A
seed passes if the verdict was Improving, then DeceptivelySaturated, then Saturated, and the run
stopped before its budget.

    python benchmarks/demo.py [--seeds 5]
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

TINY = Path(__file__).parent.parent / "examples" / "tiny"
PHASES = ("Improving", "DeceptivelySaturated", "Saturated")


@dataclass(frozen=True)
class Outcome:
    """The result of one seed; tokens at which each state was first reported, None if never."""

    seed: int
    seconds: float
    first: dict[str, int | None]
    trained_tokens: int
    budget_tokens: int

    @property
    def passes(self) -> bool:
        said = [self.first[phase] for phase in PHASES]
        ordered = all(a is not None and b is not None and a < b for a, b in pairwise(said))
        return ordered and self.trained_tokens < self.budget_tokens


def manifest(seed: int) -> dict[str, Any]:
    """The demo's manifest with another seed, and with absolute paths."""
    run: dict[str, Any] = yaml.safe_load((TINY / "run.yaml").read_text())
    spec = run["spec"]
    spec["training"]["seed"] = spec["data"]["seed"] = seed
    spec["model"]["source"] = str(TINY / spec["model"]["source"])
    for source in [*spec["data"]["sources"], spec["evaluation"]["probes"]["niah"]["haystack"]]:
        source["path"] = str(TINY / source["path"])
    return run


def run(seed: int, folder: Path) -> Outcome:
    path = folder / "run.yaml"
    asked = manifest(seed)
    path.write_text(yaml.safe_dump(asked))
    store = folder / "runs"
    started = time.monotonic()
    command = [Path(sys.executable).with_name("lccp"), "run", path, "--store", f"file://{store}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    root = store / "default" / asked["metadata"]["name"]
    verdict = json.loads((root / "analysis" / "verdict.json").read_text())
    said = [(c["state"], c["tokens"]) for c in verdict["checkpoints"]]
    first = {phase: next((t for state, t in said if state == phase), None) for phase in PHASES}
    trained = max(int(path.parent.name) for path in root.glob("checkpoints/*/manifest.json"))
    return Outcome(seed, seconds, first, trained, asked["spec"]["training"]["tokens"])


def table(outcomes: list[Outcome]) -> Table:
    budget = f"thousand tokens; the budget is {outcomes[0].budget_tokens / 1e3:,.0f}"
    phases = (re.sub("(?<=[a-z])(?=[A-Z])", "\n", phase) for phase in PHASES)
    shown = Table("seed", *phases, "trained", "minutes", "passes", title=budget)
    for outcome in outcomes:
        tokens = [*outcome.first.values(), outcome.trained_tokens]
        cells = ["–" if count is None else f"{count / 1e3:,.0f}" for count in tokens]
        minutes = f"{outcome.seconds / 60:.1f}"
        shown.add_row(str(outcome.seed), *cells, minutes, "yes" if outcome.passes else "no")
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on")
    console, outcomes = Console(), []
    for seed in range(parser.parse_args().seeds):
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(run(seed, Path(folder)))
        console.print(table(outcomes))
    return 0 if all(outcome.passes for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
