"""What an evaluation of the demo's checkpoint costs as an ordinary process, and forked.

Processor seconds of the same evaluations in turns, after `make demo`, in a copy of the run:

    python benchmarks/warm.py [--run runs/default/tiny] [--turns 3]
"""

import argparse
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console

from lccp.api.invocation import Invocation, StoreConfig
from lccp_operator.embedded.children import Warm, start
from lccp_operator.embedded.processes import EVALUATOR, FORKED_BY

TINY = Path(__file__).parent.parent / "examples" / "tiny"


def environ_of(store: Path, run: Path, tokens: int) -> dict[str, str]:
    """What the embedded engine gives an evaluator."""
    told = Invocation(
        namespace=run.parent.name,
        name=run.name,
        store=StoreConfig(url=f"file://{store}"),
        tokens=tokens,
        base_directory=str(TINY),
    )
    return os.environ | {"OMP_NUM_THREADS": "1"} | told.to_environ()


class Clock:
    """Processor seconds of ended children, and of those that the warm process has waited for."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm

    def __call__(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        stat = Path(f"/proc/{self._warm.pid}/stat").read_text().rpartition(") ")[2].split()
        ticks = sum(map(int, stat[11:15]))
        return ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/default/tiny"))
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    if len(list(asked.run.glob("evaluations/*/intrinsic/report.json"))) <= asked.turns:
        parser.error(f"{asked.run}: has too few reports: run `make demo` first, or give --run")
    with tempfile.TemporaryDirectory() as scratch, open(os.devnull, "wb") as output:
        store = Path(scratch)
        run = shutil.copytree(asked.run, store / asked.run.parent.name / asked.run.name)
        lock = os.open(store / "lock", os.O_CREAT | os.O_RDWR)
        warm = Warm(FORKED_BY[EVALUATOR], lock)
        reports = sorted(run.glob("evaluations/*/intrinsic"))[-1 - asked.turns :]

        def evaluate(folder: Path, forked: bool) -> None:
            shutil.rmtree(folder)
            environ = environ_of(store, run, int(folder.parent.name))
            if forked:
                process = warm.start(EVALUATOR, environ, output)
            else:
                process = start(EVALUATOR, environ, output, [lock])
            if process.wait() != 0:
                sys.exit(f"the evaluation into {folder} failed: {process.returncode}")

        try:
            first, *others = reports
            evaluate(first, forked=True)  # imports libraries
            clock, found = Clock(warm), {False: list[float](), True: list[float]()}
            for folder in others:
                for forked, seconds in found.items():
                    before = clock()
                    evaluate(folder, forked)
                    seconds.append(clock() - before)
        finally:
            warm.end()
    for forked, name in ((False, "ordinary process"), (True, "forked")):
        seconds = ", ".join(f"{one:.2f}" for one in found[forked])
        Console().print(f"{name}: {median(found[forked]):.2f} s of a processor ({seconds})")


if __name__ == "__main__":
    main()
