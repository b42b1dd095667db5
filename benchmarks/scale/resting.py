"""Memory that the facts of runs at rest take in the operator: of this process alone.

A folder holds the runs, each with its verdict and as many checkpoints with reports; they are read
one after another, and packed as after a reconcile that changed nothing.

    python benchmarks/scale/resting.py [--runs 300] [--checkpoints 20] [--every-probe] [--unpacked]
"""

import argparse
import gc
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = map(str, ROOT.glob("tests/support/*"))

import a_run  # noqa: E402
from operator_world import KEYS, World, a_small_run  # noqa: E402

from lccp.analysis.verdict import judge  # noqa: E402
from lccp.api.objects.report import EvaluationReport  # noqa: E402
from lccp.store.file import FileStore  # noqa: E402
from lccp.store.keys import RunKeys  # noqa: E402
from lccp_operator.observe import StoreObserver  # noqa: E402


def objects_of_a_run(checkpoints: int, every_probe: bool) -> dict[str, bytes]:
    """What a run leaves in the store until it has so many evaluated checkpoints, by key."""
    training = {"tokens": (checkpoints + 1) * 8_192, "globalBatchTokens": 4_096}
    world = World(a_small_run(training=training | {"learningRate": "1e-4"}), judge)
    world.reconcile()
    asked = a_run.run().spec.evaluation.probes.asked()
    for _ in range(checkpoints):
        world.train()
        world.reconcile()
        world.evaluate()
        for key in [key for key in world.store.objects if key.endswith("report.json")]:
            report = EvaluationReport.from_json(world.store.get(key), key)
            kept = {n: p for n, p in report.probes.items() if every_probe or n in asked}
            world.store.put(key, report.model_copy(update={"probes": kept}).to_json())
        world.reconcile()
    return {key: world.store.get(key) for key in world.store.objects}


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--every-probe", action="store_true")
    parser.add_argument("--unpacked", action="store_true")
    options = parser.parse_args()
    objects = objects_of_a_run(options.checkpoints, options.every_probe)
    with tempfile.TemporaryDirectory() as folder:
        store, now = FileStore(Path(folder)), a_run.now()
        observers = [
            StoreObserver(store, RunKeys("lab", f"run-{number}")) for number in range(options.runs)
        ]
        for observer in observers:
            for key, data in objects.items():
                store.put(f"{observer.keys.prefix}{key.removeprefix(KEYS.prefix)}", data)
        gc.collect()
        before, began = resident_bytes(), time.process_time()
        for observer in observers:
            observer.part(now)
            if not options.unpacked:
                observer.pack()
        gc.collect()
        used, size = time.process_time() - began, resident_bytes() - before
    print(
        f"{size / 1e3 / options.runs:.1f} KB a run of {options.runs}, {used:.1f} s of a processor"
    )


if __name__ == "__main__":
    main()
