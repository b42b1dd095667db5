"""One look at one run: observe, plan, apply. Never by two workers for the same run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from lccp.api import labels
from lccp.api.conditions import Reason
from lccp.api.errors import InvalidInput, LccpError, NotFound
from lccp.api.invocation import StoreConfig
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.store.keys import RunKeys
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_operator.apply import Edge, apply
from lccp_operator.intents import Plan
from lccp_operator.judging import RememberingJudge
from lccp_operator.kubernetes import children
from lccp_operator.kubernetes import cluster as api
from lccp_operator.kubernetes.edge import FINALIZER, KubernetesChildren, KubernetesRuns
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.merge import Object
from lccp_operator.kubernetes.seen import Seen, owner_uids
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import ChildState, Facts, Known, Observed, Unknown
from lccp_operator.plan import plan


class RunKey(NamedTuple):
    """Which run."""

    namespace: str
    name: str


@dataclass
class _Memory:
    """What is kept of a run object between two looks; all of it can be lost."""

    uid: str
    children: KubernetesChildren
    observer: StoreObserver
    judge: RememberingJudge = field(default_factory=RememberingJudge)
    children_unknown_since: datetime | None = None


class Reconciler:
    """Looks at runs of one cluster.

    `guard` is called before every write; it raises Conflict if this process may no longer write.
    """

    def __init__(
        self, cluster: api.Cluster, installation: Installation, guard: Callable[[], None]
    ) -> None:
        self._cluster = cluster
        self._installation = installation
        self._guard = guard
        self._runs = KubernetesRuns(cluster)
        self._stores: dict[str, Store] = {}
        self._memories: dict[RunKey, _Memory] = {}

    def look(self, key: RunKey) -> float | None:
        """Look at the run; seconds until the next look, or None: not before something changes.

        Raises:
            Conflict: another writer was first.
            ApiUnavailable, StoreUnavailable: look again later.
        """
        try:
            body = self._cluster.get(api.RUNS, *key)
        except NotFound:
            self.forget(key)
            return None
        run = LCCPRun.parse(body, f"{key.namespace}/{key.name}")
        result = self._look(run, body)
        return None if result.at_rest else result.look_again_after_seconds

    def forget(self, key: RunKey) -> None:
        """The run is gone: drop what is remembered of it."""
        self._memories.pop(key, None)

    def _look(self, run: LCCPRun, body: Object) -> Plan:
        now = datetime.now(UTC)
        memory = self._memory(run)
        offered = Pinned(
            trainer_image=run.spec.topology.image or self._installation.trainer_image,
            evaluator_image=run.spec.evaluation.image or self._installation.evaluator_image,
        )
        observed = Observed(
            children=self._children(run, memory, now),
            store=self._facts(run, memory, now),
            rejected=dict(memory.children.rejected),
            offered=offered,
            finalizer=FINALIZER in body["metadata"].get("finalizers", ()),
            namespace_terminating=self._namespace_terminating(run),
        )
        result = plan(run, observed, now, memory.judge)
        edge = Edge(memory.observer.store, memory.children, self._runs, self._guard)
        apply(result, run, edge)
        return result

    def _memory(self, run: LCCPRun) -> _Memory:
        key = RunKey(run.metadata.namespace, run.metadata.name)
        known = self._memories.get(key)
        if known is None or known.uid != run.metadata.uid:
            config = self._installation.store(run.spec.checkpoints.store_name)
            known = self._memories[key] = _Memory(
                run.metadata.uid,
                KubernetesChildren(self._cluster, self._installation, config),
                StoreObserver(self._store(config), RunKeys(*key)),
            )
        return known

    def _store(self, config: StoreConfig | None) -> Store:
        """The store; any, for a name that the installation lacks: nothing is then asked of it."""
        known = config or self._installation.stores[0]
        if known.name not in self._stores:
            self._stores[known.name] = open_store(known)
        return self._stores[known.name]

    def _facts(self, run: LCCPRun, memory: _Memory, now: datetime) -> Known[Facts] | Unknown:
        if self._installation.store(run.spec.checkpoints.store_name) is not None:
            return memory.observer.part(now)
        known = ", ".join(store.name for store in self._installation.stores)
        name = run.spec.checkpoints.store_name
        why = f"checkpoints.storeName: there is no store {name!r}; this installation has {known}"
        return Unknown(now, why, Reason.UNKNOWN_STORE)

    def _children(
        self, run: LCCPRun, memory: _Memory, now: datetime
    ) -> Known[tuple[ChildState, ...]] | Unknown:
        try:
            found = children.states(self._seen(run))
        except LccpError as error:
            memory.children_unknown_since = memory.children_unknown_since or now
            return Unknown(memory.children_unknown_since, str(error))
        memory.children_unknown_since = None
        return Known(found)

    def _seen(self, run: LCCPRun) -> Seen:
        """Jobs before pods: what an ended Job says of its pods is then no older than they are."""
        namespace = run.metadata.namespace
        selector = f"{labels.RUN}={run.metadata.name}"
        jobs = self._cluster.list(api.JOBS, namespace, labelSelector=selector)
        own = [job for job in jobs if run.metadata.uid in owner_uids(job)]
        pods = self._cluster.list(api.PODS, namespace, labelSelector=selector) if own else []
        waiting = self._waiting(own, pods)
        return Seen(
            jobs=tuple(own),
            pods=tuple(pods),
            events=tuple(self._events(namespace, waiting)),
            workloads=tuple(self._workloads(namespace, own)),
        )

    def _waiting(self, jobs: list[Object], pods: list[Object]) -> list[Object]:
        """Objects whose events may say why nothing runs: open Jobs without pods, pending pods."""
        owned = {uid for pod in pods for uid in owner_uids(pod)}
        idle = [
            job
            for job in jobs
            if job["metadata"]["uid"] not in owned and not job.get("status", {}).get("conditions")
        ]
        pending = [pod for pod in pods if pod.get("status", {}).get("phase") == "Pending"]
        return [*idle, *pending]

    def _events(self, namespace: str, waiting: list[Object]) -> list[Object]:
        found: list[Object] = []
        for waits in waiting:
            selector = f"involvedObject.uid={waits['metadata']['uid']}"
            found += self._cluster.list(api.EVENTS, namespace, fieldSelector=selector)
        return found

    def _workloads(self, namespace: str, jobs: list[Object]) -> list[Object]:
        if not any(job["spec"].get("suspend") for job in jobs):
            return []
        try:
            return self._cluster.list(api.WORKLOADS, namespace)
        except NotFound:
            return []

    def _namespace_terminating(self, run: LCCPRun) -> bool:
        """Asked only of runs that hold up a deletion."""
        if run.metadata.deletion_timestamp is None:
            return False
        try:
            found = self._cluster.get(api.NAMESPACES, None, run.metadata.namespace)
        except (InvalidInput, NotFound):
            return False
        return bool(found.get("status", {}).get("phase") == "Terminating")
