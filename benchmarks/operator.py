"""The operator at scale: latency, cost of runs at rest, memory, API writes and store calls.

Runs on the cluster of KUBECONFIG, which has the CRD and whose nodes labelled `type=kwok` simulate
the pods, with its own SeaweedFS as store. The operator is a process of this machine. Phases, of
which each begins without runs, in the order in which they are given:

    limit         no operator: a bare client makes an operator's writes for new runs, all at once
    naive-steady  a minimal operator, which creates only Jobs: as `steady`
    naive-once    the same, as `once`
    steady        runs created at a fixed rate: from creation to Job, and to the first status
    rest          after `steady`: every run trains and has its checkpoints with reports: nothing
                  changes
    once          as many runs created as fast as the API server accepts them

    python benchmarks/operator.py [--runs 1000] [--rate 20] [--checkpoints 20] [--rest-seconds 120]
        [--phases once naive-once naive-once once ...]
        [--annotation KEY=VALUE]    of all pods, for the stages of kwok: keeps them running
        [--json FILE]
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path[:0] = map(str, ROOT.glob("tests/support/*"))

import a_run  # noqa: E402
from a_cluster import Namespace, connect  # noqa: E402
from operator_process import installation  # noqa: E402
from scale.load import THREADS, bare, create, document, evaluated, fill, wait  # noqa: E402
from scale.operators import Naive, Operator  # noqa: E402
from seaweedfs import find_weed, running_seaweedfs  # noqa: E402

from lccp.probes.registry import PROBES  # noqa: E402
from lccp.store.open import open_store  # noqa: E402
from lccp.store.port import Store  # noqa: E402
from lccp_operator.kubernetes import api  # noqa: E402
from lccp_operator.kubernetes.api.merge import Object  # noqa: E402

PHASES = ("limit", "naive-steady", "naive-once", "steady", "rest", "once")
COUNTS = ("api_writes", "api_reads", "store_calls")


def percentiles(seconds: np.ndarray) -> str:
    return " / ".join(f"{np.percentile(seconds, p):.2f} s" for p in (50, 99, 100))


@dataclass
class Bench:
    """The phases, and their measurements."""

    options: argparse.Namespace
    namespace: Namespace
    store: Store
    operator: Operator
    table: list[tuple[str, str]] = field(default_factory=list)
    """What was measured, and its value: of a phase that is given twice, both."""

    def measure(self) -> list[tuple[str, str]]:
        for phase in self.options.phases:
            if phase != "rest":
                self.clear()
            getattr(self, phase.replace("-", "_"))()
        return self.table

    def note(self, measured: dict[str, str]) -> None:
        """Print it immediately: the whole benchmark takes a quarter of an hour."""
        self.table += measured.items()
        for what, value in measured.items():
            print(f"{what}: {value}", file=sys.stderr, flush=True)

    def limit(self) -> None:
        self.operator.kill()
        for prefix, what in (("mute", "runs and Jobs"), ("bare", "the same writes")):
            seconds = bare(self.namespace, self.documents(prefix), tells=prefix == "bare")
            name = f"{self.options.runs} runs at once, {what} without an operator"
            self.note({name: f"{seconds:.1f} s"})
            self.clear()

    def naive_steady(self) -> None:
        with self.naive():
            self.pace("naive", told=False)

    def naive_once(self) -> None:
        with self.naive() as naive:
            self.at_once("swarm", told=False)
            self.note({f"naive operator, {self.options.runs} runs: memory": naive.memory})

    @contextmanager
    def naive(self) -> Iterator[Naive]:
        """In the place of the operator, once it is ready."""
        self.operator.kill()
        naive = Naive()
        naive.start()
        try:
            create(self.namespace, self.documents("ready")[:1], None, told=False)
            self.clear()
            yield naive
        finally:
            naive.kill()

    def clear(self) -> None:
        """Delete all runs, and wait until their Jobs and pods are gone."""
        there = self.namespace.api.list(api.RUNS, self.namespace.name)
        names = [run["metadata"]["name"] for run in there]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._delete, names))
        for kind in (api.JOBS, api.PODS):
            wait(lambda kind=kind: self._none_left(kind), pause_seconds=2.0)

    def _none_left(self, kind: api.Kind) -> bool:
        """Only one object is requested: listing a thousand would be a load itself."""
        path = kind.path(self.namespace.name)
        return not self.namespace.api.call("GET", path, query={"limit": "1"})["items"]

    def _delete(self, name: str) -> None:
        self.namespace.api.delete(api.RUNS, self.namespace.name, name)

    def steady(self) -> None:
        self.operator.make_ready()
        runs, rate = self.options.runs, self.options.rate
        before = self.operator.sample()
        self.pace("run", told=True)
        after = self.operator.sample()
        what = f"{runs} runs, {rate:g} a second: "
        measured = {
            f"{what}CPU": f"{after.cpu_share_since(before):.0%} of one core",
            f"{what}memory": self.operator.memory,
        }
        for name in COUNTS:
            spent = (getattr(after, name) - getattr(before, name)) / runs
            measured[f"{what}{name.replace('_', ' ')} a run"] = f"{spent:.1f}"
        self.note(measured)

    def pace(self, prefix: str, told: bool) -> None:
        """Create runs at the fixed rate; wait until all have a Job, and a status if `told`."""
        times = create(self.namespace, self.documents(prefix), self.options.rate, told)
        who = "" if told else "naive operator, "
        what = f"{who}{self.options.runs} runs, {self.options.rate:g} a second: creation to "
        self.note({f"{what}Job, p50 / p99 / max": percentiles(times.latencies(times.job))})
        if told:
            latencies = times.latencies(times.status)
            self.note({f"{what}status, p50 / p99 / max": percentiles(latencies)})

    def rest(self) -> None:
        runs, checkpoints = self.options.runs, self.options.checkpoints
        names = [run["metadata"]["name"] for run in self.documents("run")]
        default = a_run.run().spec.evaluation.probes.asked()
        probes = PROBES if self.options.every_probe else default
        fill(self.namespace, self.store, names, checkpoints, probes)
        wait(lambda: evaluated(self.namespace, checkpoints), pause_seconds=2.0)
        read = self.operator.memory
        time.sleep(self.options.settle_seconds)
        before = self.operator.sample()
        time.sleep(self.options.rest_seconds)
        after = self.operator.sample()
        what = f"{runs} runs at rest, {checkpoints} checkpoints each: "
        measured = {
            f"{what}CPU": f"{after.cpu_share_since(before):.1%} of one core",
            f"{what}memory": self.operator.memory,
            f"{what}memory when all were read": read,
        }
        minutes = (after.at - before.at) / 60
        for name in COUNTS:
            spent = (getattr(after, name) - getattr(before, name)) / runs / minutes
            measured[f"{what}{name.replace('_', ' ')} a run and minute"] = f"{spent:.2f}"
        self.note(measured)

    def once(self) -> None:
        self.operator.make_ready()
        self.at_once("again", told=True)
        self.note({f"{self.options.runs} runs at once: memory": self.operator.memory})

    def at_once(self, prefix: str, told: bool) -> None:
        times = create(self.namespace, self.documents(prefix), None, told)
        first, last = min(times.created.values()), max(times.job.values())
        what = f"{'' if told else 'naive operator, '}{self.options.runs} runs at once: until the "
        measured = {
            f"{what}last one was created": f"{max(times.created.values()) - first:.1f} s",
            f"{what}last one had its Job": f"{last - first:.1f} s",
        }
        self.note(measured)

    def documents(self, prefix: str) -> list[Object]:
        checkpoints, annotation = self.options.checkpoints, self.options.annotation
        return [
            document(f"{prefix}-{i:04d}", checkpoints, annotation) for i in range(self.options.runs)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--settle-seconds", type=float, default=180.0)
    parser.add_argument("--rest-seconds", type=float, default=120.0)
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES)
    parser.add_argument("--every-probe", action="store_true", help="not only the default ones")
    parser.add_argument("--annotation")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kubeconfig, weed = os.environ.get("KUBECONFIG"), find_weed()
    if kubeconfig is None or weed is None:
        raise SystemExit("needs a cluster with kwok (KUBECONFIG), and SeaweedFS's program weed")
    with tempfile.TemporaryDirectory(prefix="lccp-bench-") as name:
        folder = Path(name)
        with running_seaweedfs(weed, folder) as server:
            store = server.config("bench", server.credentials(folder / "keys"))
            settings = installation(folder, stores=[store.document()])
            namespace: Namespace = Namespace.create(connect(Path(kubeconfig)), folder)
            operator = Operator(folder, settings)
            try:
                table = Bench(options, namespace, open_store(store), operator).measure()
            finally:
                operator.kill()
                namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")
    shown = Table("what", "measured")
    for what, measured in table:
        shown.add_row(what, measured)
    Console().print(shown)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
