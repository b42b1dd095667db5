"""One look at one run: observe, plan, apply. Never by two workers for the same run.

A run at which nothing changes is looked at cheaply: nobody told news of it, and one LIST shows that
its trainer wrote nothing. A new run gets its gang first, and its status with the gang's first news.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput, LccpError, NotFound
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_operator.apply import Edge, act, tell
from lccp_operator.intents import Plan
from lccp_operator.judging import RememberingJudge
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.children.reading import ChildrenReader
from lccp_operator.kubernetes.children.seen import RunKey
from lccp_operator.kubernetes.edge import FINALIZER, KubernetesChildren, KubernetesRuns
from lccp_operator.kubernetes.heard import Heard
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.pulse import Pulse
from lccp_operator.kubernetes.rest import AT_REST_SECONDS, Rest
from lccp_operator.kubernetes.warm import Warm
from lccp_operator.logs import note_attempt
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import ChildState, Facts, Known, Observed, Unknown
from lccp_operator.plan import invalid_spec, plan

UNTOLD_SECONDS = 1.0
"""Until a new run that has its gang also gets its status, which then tells of the gang too."""


@dataclass
class _Memory:
    """What is kept of a run object between two looks; all of it can be lost."""

    uid: str
    children: KubernetesChildren
    observer: StoreObserver
    judge: RememberingJudge = field(default_factory=RememberingJudge)
    children_unknown_since: datetime | None = None
    runs: KubernetesRuns | None = None
    """Of the last look: it knows the version of the run object that this process wrote."""
    rest: Rest | None = None
    told: bool = False
    """The last plan was carried out to its end, so that its events are posted."""

    def wrote(self, body: Object) -> bool:
        """The run object is as the last look left it."""
        return self.runs is not None and self.runs.version == body["metadata"]["resourceVersion"]

    def undisturbed(self) -> bool:
        """Nothing is due, and its trainer wrote nothing since it came to rest."""
        return self.rest is not None and self.rest.lasts and not self.observer.moved()

    def forget(self) -> None:
        """Drop what the next look can read again."""
        self.observer.forget()
        self.judge = RememberingJudge()


class Reconciler:
    """Looks at runs of one cluster, whose children `reader` reads; pulses of stores by name."""

    def __init__(
        self,
        cluster: api.Cluster,
        reader: ChildrenReader,
        installation: Installation,
        pulses: Mapping[str, Pulse],
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._installation = installation
        self._pulses = pulses
        self._memories: dict[RunKey, _Memory] = {}
        self._heard: Heard[RunKey] = Heard()
        self._warm: Warm[RunKey] = Warm()

    def hear_of_children(self, key: RunKey) -> None:
        """Some of the run's children changed."""
        self._heard.of_children(key)

    def hear(self, key: RunKey, body: Object | None, keep: bool = True) -> bool:
        """The run object is now `body`, or gone; False if it is as this process wrote it.

        The next look takes it for read if it is to `keep`.
        """
        memory = self._memories.get(key)
        if body is not None and memory is not None and memory.wrote(body):
            return False
        self._heard.of_run(key, body if keep else None)
        return True

    def under_way_in(self, pulse: Pulse) -> Iterator[RunKey]:
        """The runs in that store that were looked at, and are not at their end."""
        for key, memory in self._memories.copy().items():
            over = memory.rest is not None and memory.rest.over
            if memory.observer.store is pulse.store and not over:
                yield key

    def look(self, key: RunKey) -> float:
        """Look at the run; seconds until the next look, infinitely many if the run is gone.

        Raises:
            Conflict: another writer was first.
            ApiUnavailable, StoreUnavailable: look again later.
        """
        memory = self._memories.get(key)
        if memory and memory.rest and key not in self._heard and memory.undisturbed():
            return memory.rest.prolong()
        try:
            return self._look(key, self._heard.take(key) or self._cluster.get(api.RUNS, *key))
        except NotFound:
            return self._let_go(key)
        except Exception:
            self._heard.of_children(key)
            raise

    def _look(self, key: RunKey, body: Object) -> float:
        runs = KubernetesRuns(self._cluster, body["metadata"]["resourceVersion"])
        try:
            run = _parsed(body, f"{key.namespace}/{key.name}")
        except InvalidInput as error:
            _refuse(body, str(error), runs)
            return AT_REST_SECONDS
        if run.metadata.deletion_timestamp is not None and not _purges(body):
            return self._let_go(key)
        note_attempt(run.status.attempt if run.status else 0)
        memory = self._memory(key, run)
        memory.rest, memory.runs = None, runs
        observed = self._observed(run, body, memory)
        result = plan(run, observed, datetime.now(UTC), memory.judge)
        self._warm.use(key, memory.observer.held_bytes, memory.forget)
        note_attempt(result.status.attempt)
        memory.told = self._carried_out(result, run, memory, runs)
        if memory.told and result.changes_nothing and result.status == run.status:
            memory.rest = Rest.of(result, observed)
        known = runs.written or body
        if memory.rest is None and memory.wrote(known):
            self._heard.keep(key, known)
        if not memory.told:
            return UNTOLD_SECONDS
        after = result.look_again_after_seconds
        return AT_REST_SECONDS if after is None else after

    def _let_go(self, key: RunKey) -> float:
        """The run is gone, or goes by itself with its children: nothing is left to be done."""
        self._memories.pop(key, None)
        self._warm.drop(key)
        return math.inf

    def _carried_out(
        self, result: Plan, run: LCCPRun, memory: _Memory, runs: KubernetesRuns
    ) -> bool:
        """Carry out the plan; False if the run has its gang now, and is yet to be told of it."""
        memory.told = False
        store = self._store(run.spec.checkpoints.store_name)
        guard, remember = self._cluster.guard, memory.observer.remember
        edge = Edge(store, memory.children, runs, guard, remember)
        act(result, run, edge)
        if run.status is None and result.applies_children and not memory.children.rejected:
            return False
        tell(result, run, edge)
        return True

    def _observed(self, run: LCCPRun, body: Object, memory: _Memory) -> Observed:
        now = datetime.now(UTC)
        return Observed(
            children=self._children(run, memory, now),
            store=self._facts(run, memory, now),
            rejected=dict(memory.children.rejected),
            offered=self._installation.offered(run),
            finalizer=_purges(body),
            namespace_terminating=self._namespace_terminating(run),
            told=memory.told,
        )

    def _memory(self, key: RunKey, run: LCCPRun) -> _Memory:
        known = self._memories.get(key)
        if known is None or known.uid != run.metadata.uid:
            name = run.spec.checkpoints.store_name
            config = self._installation.store(name)
            known = self._memories[key] = _Memory(
                run.metadata.uid,
                KubernetesChildren(self._cluster, self._reader, self._installation, config),
                StoreObserver(self._store(name), RunKeys(*key)),
            )
        return known

    def _store(self, name: str) -> Store:
        """The store; any, for a name that the installation lacks: nothing is then asked of it."""
        return (self._pulses.get(name) or next(iter(self._pulses.values()))).store

    def _facts(self, run: LCCPRun, memory: _Memory, now: datetime) -> Known[Facts] | Unknown:
        name = run.spec.checkpoints.store_name
        if name in self._pulses:
            return self._pulses[name].outage or memory.observer.part(now)
        known = ", ".join(self._pulses)
        why = f"checkpoints.storeName: there is no store {name!r}; this installation has {known}"
        return Unknown(now, why, Reason.UNKNOWN_STORE)

    def _children(
        self, run: LCCPRun, memory: _Memory, now: datetime
    ) -> Known[tuple[ChildState, ...]] | Unknown:
        try:
            found = self._reader.read(run, now)
        except LccpError as error:
            memory.children_unknown_since = memory.children_unknown_since or now
            return Unknown(memory.children_unknown_since, str(error))
        memory.children_unknown_since = None
        return Known(found)

    def _namespace_terminating(self, run: LCCPRun) -> bool:
        """Asked only of runs that hold up a deletion."""
        if run.metadata.deletion_timestamp is None:
            return False
        try:
            found = self._cluster.get(api.NAMESPACES, None, run.metadata.namespace)
        except (InvalidInput, NotFound):
            return False
        return bool(found.get("status", {}).get("phase") == "Terminating")


def _purges(body: Object) -> bool:
    """Whether its deletion waits for LCCP."""
    return FINALIZER in body["metadata"].get("finalizers", ())


def _parsed(body: Object, where: str) -> LCCPRun:
    """The run; a status that another version wrote is as good as none, since it is made anew."""
    try:
        return LCCPRun.parse(body, where)
    except InvalidInput:
        return LCCPRun.parse({k: v for k, v in body.items() if k != "status"}, where)


def _refuse(body: Object, sentence: str, runs: KubernetesRuns) -> None:
    """Say in the status of an object that is no valid run what is wrong with it."""
    before = LCCPRunStatus.parse(body.get("status", {}), "status")
    status = invalid_spec(before, body["metadata"]["generation"], sentence, datetime.now(UTC))
    if status != before:
        runs.write(body["metadata"], status)
