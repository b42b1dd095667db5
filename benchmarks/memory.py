"""Memory of a trainer's process, compared with the estimate of `lccp.cost`.

Each case makes three steps of a model of some 30 million parameters as processes of this machine.
The measurement is the peak resident memory of the worst process in the last two steps, above its
memory before the model; freed memory is returned to the system (MALLOC_MMAP_THRESHOLD_). The
estimate counts only the filled part of DeepSpeed's buckets: untouched pages take no memory of a
host, unlike a device.

    python benchmarks/memory.py [--processes 1 2 4] [--most CASES] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from held.cases import CASES, Case, estimated
from rich.console import Console
from rich.table import Table

MEBIBYTE = 2**20
WORKER = Path(__file__).parent / "held" / "worker.py"


def measured(cases: list[Case], folder: Path) -> dict[Case, int]:
    """Bytes held by the worst process of each case; all have the same number of processes."""
    (processes,) = {case.processes for case in cases}
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in cases]))
    environ = os.environ | {
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "LOGLEVEL": "CRITICAL",
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes), str(WORKER)]
    done = subprocess.run(
        [*command, str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    if done.returncode != 0:
        raise SystemExit(f"the trainer failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return {
        case: max(int((folder / f"{number}-{rank}").read_text()) for rank in range(processes))
        for number, case in enumerate(cases)
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", nargs="+", type=int, choices=(1, 2, 4), default=[1, 2, 4])
    parser.add_argument("--most", type=int, help="cases of each number of processes")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    table = Table("family", "processes", "layout", "measured MiB", "estimated MiB", "ratio")
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for processes in asked.processes:
            cases = [case for case in CASES if case.processes == processes][: asked.most]
            for case, held in measured(cases, Path(folder)).items():
                guess = estimated(case)
                numbers = (f"{held / MEBIBYTE:.0f}", f"{guess / MEBIBYTE:.0f}")
                table.add_row(
                    case.family, str(processes), _layout(case), *numbers, f"{guess / held:.2f}"
                )
                told.append(asdict(case) | {"measured": held, "estimated": guess})
    Console(width=120).print(table)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1))
    return 0


def _layout(case: Case) -> str:
    parts = [f"ZeRO {case.zero_stage}", case.precision]
    parts += [f"SP {case.sequence}"] if case.sequence > 1 else []
    parts += [f"EP {case.experts}"] if case.experts > 1 else []
    parts += ["checkpointing"] if case.checkpointing else []
    parts += ["offload"] if case.offload else []
    parts += [f"{case.accumulation} micro batches"] if case.accumulation > 1 else []
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
