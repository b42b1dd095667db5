"""The load on the cluster and on the store: thousands of runs, and the objects they would write."""

import threading
import time
from collections.abc import Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from a_cluster import Namespace, run_document
from a_run import now
from operator_world import EVERY_TOKENS, heartbeat_of, manifest_of, report_of

from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.facts import Facts
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.workloads import jobs
from lccp_operator.observed import Known, Observed
from lccp_operator.plan import plan
from lccp_operator.workloads.training import Training

THREADS = 8
PATIENCE_SECONDS = 1_200.0


@dataclass
class Times:
    """When each run was created, got its Job and its first status; seconds of the local clock."""

    created: dict[str, float] = field(default_factory=dict)
    job: dict[str, float] = field(default_factory=dict)
    status: dict[str, float] = field(default_factory=dict)

    def watch(self, namespace: Namespace) -> None:
        """Record events in `namespace` from now on."""
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


def document(name: str, checkpoints: int, annotation: str | None) -> Object:
    """A run whose pods kwok simulates."""
    key, _, value = (annotation or "").partition("=")
    toleration = {"key": "kwok.x-k8s.io/node", "operator": "Exists"}
    placement = {"nodeSelector": {"type": "kwok"}, "tolerations": [toleration]}
    template = {"metadata": {"annotations": {key: value}}} if key else {}
    topology = {"nodes": 1, "placement": placement, "podTemplate": template}
    goes_on = {"action": "None"}
    return run_document(name, length=checkpoints + 1, topology=topology, saturation=goes_on)


def create(namespace: Namespace, documents: list[Object], rate: float | None, told: bool) -> Times:
    """Create the runs, `rate` a second or as fast as possible, and wait for their Jobs.

    If an operator reports on its runs (`told`), wait for their first statuses too.
    """
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
    wait(lambda: names <= times.job.keys() and (not told or names <= times.status.keys()))
    return times


def bare(namespace: Namespace, documents: list[Object], tells: bool) -> float:
    """Seconds for a client without an operator to make an operator's writes for new runs.

    These are runs and Jobs, and, if it `tells`, statuses and events.
    """
    pinned = Pinned(trainer_image="trainer:1", evaluator_image="evaluator:1")
    store = StoreConfig(url="s3://bucket/prefix", endpoint="http://store:1")
    seen = Observed(Known({}), Known(Facts()), offered=pinned)

    def write(document: Object) -> None:
        created = namespace.create_run(document)
        run = LCCPRun.parse(created, "run")
        planned = plan(run, seen, now())
        gang = Training(1)
        job = jobs.job(run, gang, gang.pods(run, pinned), store, pinned)
        namespace.api.create(api.JOBS, job)
        if not tells:
            return
        version = created["metadata"]["resourceVersion"]
        runs = KubernetesRuns(namespace.api, version, LateAnswers(namespace.api))
        runs.write_status(run, planned.status)
        for event in planned.events:
            runs.post(run, event)

    started = time.monotonic()
    with ThreadPoolExecutor(2 * THREADS) as pool:
        list(pool.map(write, documents))
    return time.monotonic() - started


def fill(
    namespace: Namespace,
    store: Store,
    names: Iterable[str],
    checkpoints: int,
    probes: Container[str],
) -> None:
    """Complete checkpoints with their reports of `probes`, and a heartbeat, for every run."""
    objects = []
    for number in range(checkpoints):
        manifest = manifest_of(EVERY_TOKENS * (number + 1))
        report = report_of(manifest)
        read = {name: part for name, part in report.probes.items() if name in probes}
        report = report.model_copy(update={"probes": read})
        objects.append((manifest.tokens, manifest.to_json(), report.to_json()))

    def fill_one(name: str) -> None:
        keys = RunKeys(namespace.name, name)
        for t, manifest, report in objects:
            store.put(keys.report(t), report)
            store.put(keys.checkpoint_manifest(t), manifest)
        beat = heartbeat_of(1, objects[-1][0], now())
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
