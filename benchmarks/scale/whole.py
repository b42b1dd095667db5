"""Memory and CPU of the operator as a whole, with runs at rest, beside an API server without nodes.

This process plays the Job controller: every run's gang runs, and its checkpoints with their reports
are in a folder. Nothing changes while the operator is measured.

    python benchmarks/scale/whole.py [--runs 1000] [--checkpoints 20] [--every-probe]
        [--settle-seconds 60] [--rest-seconds 60]
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), *map(str, ROOT.glob("tests/support/*"))]

import a_run  # noqa: E402
from a_cluster import JobPlayer, Namespace, connect, run_document  # noqa: E402
from apiserver import running  # noqa: E402
from operator_process import installation  # noqa: E402
from operator_world import EVERY_TOKENS  # noqa: E402
from scale.load import fill, wait  # noqa: E402
from scale.operators import Operator  # noqa: E402

from lccp.api.crd import crd  # noqa: E402
from lccp.probes.registry import PROBES  # noqa: E402
from lccp.store.file import FileStore  # noqa: E402
from lccp_operator.kubernetes import api  # noqa: E402

THREADS = 8
ACTS_NOT = {"action": "None"}


def prepare(namespace: Namespace, options: argparse.Namespace) -> None:
    """Runs whose gangs run, and whose checkpoints are evaluated."""
    first, *others = (f"run-{number:04d}" for number in range(options.runs))
    player = JobPlayer(namespace)

    def begin(name: str) -> None:
        length = options.checkpoints + 1
        namespace.create_run(run_document(name, length=length, saturation=ACTS_NOT))
        player.start(f"{name}-train-a1")

    def evaluated(names: set[str]) -> bool:
        runs = namespace.api.list(api.RUNS, namespace.name)
        shown = {r["metadata"]["name"]: r.get("status", {}).get("checkpoints", ()) for r in runs}
        newest = [shown[name][-1] if shown[name] else {} for name in names]
        return all(one == {**one, "tokens": last, "evaluation": "Succeeded"} for one in newest)

    last = options.checkpoints * EVERY_TOKENS
    begin(first)
    asked = PROBES if options.every_probe else a_run.run().spec.evaluation.probes.asked()
    fill(namespace, FileStore(namespace.root), [first], options.checkpoints, asked)
    wait(lambda: evaluated({first}), pause_seconds=1.0)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(begin, others))
        folder = namespace.root / namespace.name
        list(pool.map(lambda name: copy(folder / first, folder / name), others))
    wait(lambda: evaluated(set(others)), pause_seconds=2.0)


def copy(one: Path, other: Path) -> None:
    """The other run has the same checkpoints, whose manifests appear together, and verdict."""
    for name in ("evaluations", "training", "analysis"):
        shutil.copytree(one / name, other / name, dirs_exist_ok=True)
    shutil.copytree(one / "checkpoints", other / "checkpoints.new")
    (other / "checkpoints.new").rename(other / "checkpoints")


def measure(operator: Operator, options: argparse.Namespace) -> None:
    """Print the memory now and after a while, and the CPU of the time after that."""
    print(f"when all were read: {operator.memory}", flush=True)
    time.sleep(options.settle_seconds)
    before = operator.sample()
    time.sleep(options.rest_seconds)
    after = operator.sample()
    share = after.cpu_share_since(before)
    calls = (after.store_calls - before.store_calls) / (after.at - before.at)
    each = f"{calls * 60 / options.runs:.2f} store calls a run and minute"
    print(f"at rest: {operator.memory}, {share:.1%} of a core, {each}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--settle-seconds", type=float, default=60.0)
    parser.add_argument("--rest-seconds", type=float, default=60.0)
    parser.add_argument("--every-probe", action="store_true")
    options = parser.parse_args()
    programs = os.environ.get("KUBEBUILDER_ASSETS")
    if programs is None:
        raise SystemExit("needs etcd and kube-apiserver in the folder KUBEBUILDER_ASSETS")
    with tempfile.TemporaryDirectory() as name, running(Path(programs)) as server:
        folder = Path(name)
        server.install_crd(crd())
        os.environ["KUBECONFIG"] = str(server.kubeconfig)
        operator = Operator(folder, installation(folder / "store"))
        (folder / "store").mkdir()
        try:
            operator.make_ready()
            print(f"without runs: {operator.memory}", flush=True)
            namespace = Namespace.create(connect(server.kubeconfig), folder / "store")
            prepare(namespace, options)
            measure(operator, options)
        finally:
            operator.kill()


if __name__ == "__main__":
    main()
