"""The operator at scale: latency, cost of runs at rest, memory, API writes and store calls.

Runs on the cluster of KUBECONFIG, whose nodes labelled `type=kwok` play the pods, with a SeaweedFS
of its own as store. The operator is a process of this machine. Phases:

    limit    no operator: a bare client writes what one writes for new runs, all at once
    steady   runs created at a fixed rate: from creation to Job, and to the first status
    rest     every run trains, has its checkpoints with their reports, and nothing changes
    at once  the same runs deleted, and as many created as fast as the API server takes them

    python benchmarks/operator.py [--runs 1000] [--rate 20] [--checkpoints 20] [--rest-seconds 120]
        [--annotation KEY=VALUE]    of all pods, for the stages of kwok: so that they run on
        [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from a_cluster import Namespace, connect, run_document  # noqa: E402
from a_run import now  # noqa: E402
from operator_process import installation  # noqa: E402
from operator_world import EVERY_TOKENS, heartbeat_of, manifest_of, report_of  # noqa: E402
from seaweedfs import find_weed, running_seaweedfs  # noqa: E402

from lccp.api.invocation import StoreConfig  # noqa: E402
from lccp.api.objects.journal import Pinned  # noqa: E402
from lccp.api.run import LCCPRun  # noqa: E402
from lccp.store.keys import RunKeys  # noqa: E402
from lccp.store.open import open_store  # noqa: E402
from lccp.store.port import Store  # noqa: E402
from lccp_operator.kubernetes import cluster as api  # noqa: E402
from lccp_operator.kubernetes import jobs  # noqa: E402
from lccp_operator.kubernetes.edge import KubernetesRuns  # noqa: E402
from lccp_operator.kubernetes.merge import Object  # noqa: E402
from lccp_operator.observed import Facts, Known, Observed  # noqa: E402
from lccp_operator.plan import plan  # noqa: E402

PORT = 18_099
THREADS = 8
PATIENCE_SECONDS = 600.0
RETRIES = urllib3.Retry(20, backoff_factor=0.2)
COUNTS = ("api_writes", "api_reads", "store_calls")
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@dataclass
class Times:
    """When each run was created, got its Job and its first status; seconds of this clock."""

    created: dict[str, float] = field(default_factory=dict)
    job: dict[str, float] = field(default_factory=dict)
    status: dict[str, float] = field(default_factory=dict)

    def watch(self, namespace: Namespace) -> None:
        """Note what happens in `namespace` from now on."""
        for kind, note in ((api.JOBS, self._note_job), (api.RUNS, self._note_status)):
            _, version = namespace.api.listing(kind, namespace.name)
            arguments = (namespace, kind, version, note)
            threading.Thread(target=self._follow, args=arguments, daemon=True).start()

    def latencies(self, of: dict[str, float]) -> np.ndarray:
        return np.array([of[name] - at for name, at in self.created.items() if name in of])

    def _follow(self, namespace: Namespace, kind: api.Kind, version: str, note: Any) -> None:
        while True:
            for event in namespace.api.watch(kind, namespace.name, version):
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] in ("ADDED", "MODIFIED"):
                    note(event["object"], time.monotonic())

    def _note_job(self, job: Object, at: float) -> None:
        self.job.setdefault(job["metadata"]["labels"]["lccp.io/run"], at)

    def _note_status(self, run: Object, at: float) -> None:
        if run.get("status", {}).get("conditions"):
            self.status.setdefault(run["metadata"]["name"], at)


@dataclass(frozen=True)
class Sample:
    """What the operator had used at one moment."""

    at: float
    cpu_seconds: float
    rss_megabytes: float
    api_writes: float
    api_reads: float
    store_calls: float


class Operator:
    """The process, and what it uses."""

    process: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        path = folder / "installation.yaml"
        path.write_text(yaml.safe_dump(settings))
        self._environ = os.environ | {"LCCP_INSTALLATION": str(path)}

    def start(self) -> None:
        program = "from lccp_operator.main import main; main()"
        command = [sys.executable, "-c", program, "--port", str(PORT), "--log-level", "WARNING"]
        self.process = subprocess.Popen(command, env=self._environ)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()

    def get(self, path: str) -> Any:
        return urllib3.request("GET", f"http://127.0.0.1:{PORT}{path}", retries=RETRIES)

    def sample(self) -> Sample:
        assert self.process is not None
        proc = Path(f"/proc/{self.process.pid}")
        times = (proc / "stat").read_text().rpartition(") ")[2].split()
        cpu = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
        pages = int((proc / "statm").read_text().split()[1])
        counts = self._counts()
        return Sample(
            at=time.monotonic(),
            cpu_seconds=cpu,
            rss_megabytes=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
            api_writes=sum(n for line, n in counts if any(f'"{w}"' in line for w in WRITES)),
            api_reads=sum(n for line, n in counts if '"GET"' in line),
            store_calls=sum(n for line, n in counts if line.startswith("lccp_store_call")),
        )

    def _counts(self) -> list[tuple[str, float]]:
        text = self.get("/metrics").data.decode()
        lines = (line.rpartition(" ") for line in text.splitlines())
        return [(name, float(n)) for name, _, n in lines if "duration_seconds_count" in name]


def document(name: str, checkpoints: int, annotation: str | None) -> Object:
    """A run whose pods kwok plays."""
    key, _, value = (annotation or "").partition("=")
    toleration = {"key": "kwok.x-k8s.io/node", "operator": "Exists"}
    placement = {"nodeSelector": {"type": "kwok"}, "tolerations": [toleration]}
    template = {"metadata": {"annotations": {key: value}}} if key else {}
    topology = {"nodes": 1, "placement": placement, "podTemplate": template}
    goes_on = {"action": "None"}
    return run_document(name, length=checkpoints + 1, topology=topology, saturation=goes_on)


def create(namespace: Namespace, documents: list[Object], rate: float | None) -> Times:
    """Create the runs, `rate` a second or as fast as it goes, and wait for Jobs and statuses."""
    times, started = Times(), time.monotonic()
    times.watch(namespace)

    def post(number: int, run: Object) -> None:
        if rate:
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
        times.created[run["metadata"]["name"]] = time.monotonic()
        namespace.create_run(run)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, range(len(documents)), documents))
    names = {run["metadata"]["name"] for run in documents}
    wait(lambda: names <= times.job.keys() and names <= times.status.keys())
    return times


def bare(namespace: Namespace, documents: list[Object], tells: bool) -> float:
    """Seconds until a client without an operator has written what one writes for new runs.

    These are runs and Jobs, and, if it `tells`, statuses and events.
    """
    pinned = Pinned(trainer_image="trainer:1", evaluator_image="evaluator:1")
    store = StoreConfig(url="s3://bucket/prefix", endpoint="http://store:1")
    seen = Observed(Known(()), Known(Facts()), offered=pinned)

    def write(document: Object) -> None:
        created = namespace.create_run(document)
        run = LCCPRun.parse(created, "run")
        planned = plan(run, seen, now())
        namespace.api.create(api.JOBS, jobs.training_job(run, 1, store, pinned))
        if not tells:
            return
        runs = KubernetesRuns(namespace.api, created["metadata"]["resourceVersion"])
        runs.write_status(run, planned.status)
        for event in planned.events:
            runs.post(run, event)

    started = time.monotonic()
    with ThreadPoolExecutor(2 * THREADS) as pool:
        list(pool.map(write, documents))
    return time.monotonic() - started


def fill(namespace: Namespace, store: Store, names: Iterable[str], checkpoints: int) -> None:
    """Complete checkpoints with their reports, and a heartbeat, for every run."""
    tokens = [EVERY_TOKENS * (i + 1) for i in range(checkpoints)]
    objects = [(t, manifest_of(t).to_json(), report_of(manifest_of(t)).to_json()) for t in tokens]

    def fill_one(name: str) -> None:
        keys = RunKeys(namespace.name, name)
        for t, manifest, report in objects:
            store.put(keys.report(t), report)
            store.put(keys.checkpoint_manifest(t), manifest)
        beat = heartbeat_of(1, tokens[-1], now())
        store.put(keys.heartbeat(beat.writer), beat.to_json())

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill_one, names))


def wait(true: Any, pause_seconds: float = 0.2) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > end:
            raise SystemExit("it took too long")
        time.sleep(pause_seconds)


def evaluated(namespace: Namespace, checkpoints: int) -> bool:
    """Every run's status shows its last checkpoint as evaluated."""
    runs = namespace.api.list(api.RUNS, namespace.name)
    shown = (run.get("status", {}).get("checkpoints", ()) for run in runs)
    return all(c and c[-1]["tokens"] == checkpoints * EVERY_TOKENS for c in shown)


def percentiles(seconds: np.ndarray) -> str:
    return " / ".join(f"{np.percentile(seconds, p):.2f} s" for p in (50, 99, 100))


@dataclass
class Bench:
    """The phases, and what they measured."""

    options: argparse.Namespace
    namespace: Namespace
    store: Store
    operator: Operator
    table: dict[str, str] = field(default_factory=dict)
    bare_seconds: dict[str, float] = field(default_factory=dict)
    """What a client without an operator took, by the phase's prefix."""

    def measure(self) -> dict[str, str]:
        self.limit()
        self.operator.start()
        wait(lambda: self.operator.get("/readyz").status == 200)
        self.steady()
        self.rest()
        self.at_once()
        return self.table

    def note(self, measured: dict[str, str]) -> None:
        """Say it at once: the whole takes a quarter of an hour."""
        self.table |= measured
        for what, value in measured.items():
            print(f"{what}: {value}", file=sys.stderr, flush=True)

    def limit(self) -> None:
        for prefix, what in (("mute", "runs and Jobs"), ("bare", "the same writes")):
            seconds = bare(self.namespace, self.documents(prefix), tells=prefix == "bare")
            self.bare_seconds[prefix] = seconds
            name = f"{self.options.runs} runs at once, {what} without an operator"
            self.note({name: f"{seconds:.1f} s"})
            self.clear()

    def clear(self) -> None:
        """Delete all runs, and wait until their Jobs and pods are gone."""
        there = self.namespace.api.list(api.RUNS, self.namespace.name)
        names = [run["metadata"]["name"] for run in there]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._delete, names))
        for kind in (api.JOBS, api.PODS):
            wait(lambda kind=kind: self._none_left(kind), pause_seconds=2.0)

    def _none_left(self, kind: api.Kind) -> bool:
        """One object is asked for: to list a thousand would be a load of its own."""
        path = kind.path(self.namespace.name)
        return not self.namespace.api._call("GET", path, query={"limit": "1"})["items"]

    def _delete(self, name: str) -> None:
        self.namespace.api.delete(api.RUNS, self.namespace.name, name)

    def steady(self) -> None:
        runs, rate = self.options.runs, self.options.rate
        before = self.operator.sample()
        times = create(self.namespace, self.documents("run"), rate)
        after = self.operator.sample()
        what = f"{runs} runs, {rate:g} a second: "
        measured = {
            f"{what}creation to Job, p50 / p99 / max": percentiles(times.latencies(times.job)),
            f"{what}creation to status, p50 / p99 / max": percentiles(
                times.latencies(times.status)
            ),
            f"{what}CPU": f"{cpu_share(before, after):.0%} of one core",
            f"{what}memory": f"{after.rss_megabytes:.0f} MB",
        }
        for name in COUNTS:
            spent = (getattr(after, name) - getattr(before, name)) / runs
            measured[f"{what}{name.replace('_', ' ')} a run"] = f"{spent:.1f}"
        self.note(measured)

    def rest(self) -> None:
        runs, checkpoints = self.options.runs, self.options.checkpoints
        names = [run["metadata"]["name"] for run in self.documents("run")]
        fill(self.namespace, self.store, names, checkpoints)
        wait(lambda: evaluated(self.namespace, checkpoints), pause_seconds=2.0)
        read = self.operator.sample()
        time.sleep(self.options.settle_seconds)
        before = self.operator.sample()
        time.sleep(self.options.rest_seconds)
        after = self.operator.sample()
        what = f"{runs} runs at rest, {checkpoints} checkpoints each: "
        measured = {
            f"{what}CPU": f"{cpu_share(before, after):.1%} of one core",
            f"{what}memory": f"{after.rss_megabytes:.0f} MB",
            f"{what}memory when all were read": f"{read.rss_megabytes:.0f} MB",
        }
        minutes = (after.at - before.at) / 60
        for name in COUNTS:
            spent = (getattr(after, name) - getattr(before, name)) / runs / minutes
            measured[f"{what}{name.replace('_', ' ')} a run and minute"] = f"{spent:.2f}"
        self.note(measured)

    def at_once(self) -> None:
        self.clear()
        times = create(self.namespace, self.documents("again"), None)
        first, last = min(times.created.values()), max(times.job.values())
        least = self.bare_seconds["mute"]
        what = f"{self.options.runs} runs at once: "
        measured = {
            f"{what}until the last one was created": f"{max(times.created.values()) - first:.1f} s",
            f"{what}until the last one had its Job": f"{last - first:.1f} s",
            f"{what}the same, in times of a bare client's": f"{(last - first) / least:.1f}",
            f"{what}memory": f"{self.operator.sample().rss_megabytes:.0f} MB",
        }
        self.note(measured)

    def documents(self, prefix: str) -> list[Object]:
        checkpoints, annotation = self.options.checkpoints, self.options.annotation
        return [
            document(f"{prefix}-{i:04d}", checkpoints, annotation) for i in range(self.options.runs)
        ]


def cpu_share(before: Sample, after: Sample) -> float:
    return (after.cpu_seconds - before.cpu_seconds) / (after.at - before.at)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--checkpoints", type=int, default=20)
    parser.add_argument("--settle-seconds", type=float, default=180.0)
    parser.add_argument("--rest-seconds", type=float, default=120.0)
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
                namespace.api._call("DELETE", f"/api/v1/namespaces/{namespace.name}")
    shown = Table("what", "measured")
    for what, measured in table.items():
        shown.add_row(what, measured)
    Console().print(shown)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
