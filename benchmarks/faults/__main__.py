"""Faults of a training, injected into real attempts of two processes: messages and losses.

First the kills: a run in which random ranks get SIGKILL at random moments, each attempt in another
layout, compared with the same undisturbed run: no step is missing, and losses differ no more than
those of undisturbed runs in two layouts. Then one fault after the other, with the exit code and
the message. Results are kept in benchmarks/diary/faults_2026-11.md.

    python benchmarks/faults [--kills 20 [--seed 0]] [--only WORD]
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

import inputs
import processes
import states
from kills import kills
from world import ROOT, Bench


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="of ranks, moments and layouts killed")
    parser.add_argument("--only", default="", metavar="WORD", help="faults whose name contains it")
    asked = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "deepspeed"))
    print(f"{date.today()}, Python {sys.version.split()[0]}, {libraries}\n")
    failed = 0
    # Otherwise an interrupted benchmark leaves an attempt that trains without end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        script = ROOT / "tests" / "support" / "models" / "trainer_model.py"
        environ = os.environ | {"PYTHONWARNINGS": "ignore"}
        tiny = bench.folder / "tiny"
        tiny.mkdir()
        subprocess.run([sys.executable, script, tiny], check=True, env=environ, capture_output=True)
        cases = {
            name: case
            for name, case in (inputs.CASES | states.CASES | processes.CASES).items()
            if asked.only in name
        }
        if asked.kills:
            cases = {f"{asked.kills} SIGKILLs": lambda bench: kills(bench, asked.kills, asked.seed)}
        print("| fault | holds | seen |\n| --- | --- | --- |")
        try:
            for name, case in cases.items():
                seen = case(bench)
                failed += not seen.holds
                told = seen.told.replace(str(bench.folder), "…").replace("|", "/")
                print(f"| {name} | {'yes' if seen.holds else 'NO'} | {told} |", flush=True)
        finally:
            bench.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
