"""One reconcile of one run: observe, plan, apply. Never by two workers for the same run.

An unchanged run is polled instead: no change of it was announced, and one LIST shows that its
trainer wrote nothing. A new run gets only its owner's name in the status, then its gang; the rest
of the status comes with the gang's first change.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import NotFound
from lccp.logs import note
from lccp.store.keys import RunKeys
from lccp_operator.apply import Backend, act, publish
from lccp_operator.intents import Plan
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.events import RETELL_SECONDS, LateAnswers
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.bodies import (
    Said,
    deletion_asked_at,
    held_by,
    purges,
    run_or_said,
    store_name,
)
from lccp_operator.kubernetes.reconcile.inbox import Inbox
from lccp_operator.kubernetes.reconcile.left_runs import LeftRuns
from lccp_operator.kubernetes.reconcile.memory import Memories, RunMemory
from lccp_operator.kubernetes.reconcile.observing import Observing
from lccp_operator.kubernetes.reconcile.refusals import Faults, doubted, told
from lccp_operator.kubernetes.reconcile.resync import IDLE_SECONDS
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.store_health import PROBE_SECONDS, StoreHealth
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observed import Observed
from lccp_operator.plan import plan, said
from lccp_operator.records import record_conditions, record_deletion

TO_BE_TOLD_SECONDS = 1.0
"""Until the next reconcile reports the gang that this one made for a new run."""


class Reconciler:
    """Reconciles runs of one cluster, whose workloads `reader` reads; `stores` are by name."""

    def __init__(
        self,
        cluster: api.Cluster,
        reader: WorkloadReader,
        installation: Installation,
        ownership: Ownership,
        stores: Mapping[str, StoreHealth],
        states: RunStates,
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._ownership = ownership
        self._stores = stores
        self._states = states
        self.memories = Memories()
        self._inbox: Inbox[RunKey] = Inbox()
        self._left = LeftRuns()
        self.late = LateAnswers(cluster)
        self._observing = Observing(
            cluster, reader, self.late, installation, ownership, stores, self.memories
        )
        self._faults = Faults(cluster, ownership, self.memories, self.late, self._noted)

    def workloads_changed(self, key: RunKey) -> None:
        """Some of the run's workloads changed."""
        self._inbox.note(key)

    def run_changed(self, key: RunKey, body: Object | None, keep: bool = True) -> bool:
        """The run object is now `body`, or gone; False if it is what this process wrote.

        The next reconcile reads it again, unless `keep` is true.
        """
        memory = self.memories.get(key)
        if body is not None and memory is not None and memory.wrote(body):
            return False
        self._inbox.put(key, body if keep else None)
        return True

    def reconcile(self, key: RunKey) -> float:
        """Reconcile the run; seconds until the next time, infinitely many if the run is gone.

        Raises Conflict if another writer was first, NotFound if something else than the run is gone
        by now, ApiUnavailable, StoreUnavailable: retry later.
        """
        memory = self.memories.get(key)
        if memory and memory.resync and key not in self._inbox and memory.is_unchanged():
            return memory.resync.next_poll()
        try:
            return self._reconcile_or_forget(key)
        except Exception:
            self._inbox.note(key)
            raise

    def _reconcile_or_forget(self, key: RunKey) -> float:
        body = self._inbox.take(key) or self._read(key)
        if body is None:
            return self._gone(key)
        try:
            with self._faults.told(key, body):
                return self._reconcile(key, body)
        except NotFound:
            if self._read(key) is not None:
                raise
            return self._gone(key)

    def _read(self, key: RunKey) -> Object | None:
        """The run object; None if it is gone."""
        with suppress(NotFound):
            return self._cluster.get(api.RUNS, *key)
        return None

    def _gone(self, key: RunKey) -> float:
        self._states.forget(key)
        self._left.forget(key)
        return self._forget(key)

    def _reconcile(self, key: RunKey, body: Object) -> float:
        runs = KubernetesRuns(self._cluster, body["metadata"]["resourceVersion"], self.late)
        uid = body["metadata"]["uid"]
        made_by, left_to = self._reader.made_by(key, uid), self._left.told(key, uid)
        owner = self._left.owner(key, body, self._ownership.owner)
        run = run_or_said(body, owner, made_by, runs, left_to)
        deletion = deletion_asked_at(body)
        if isinstance(run, Said):
            return self._noted(run, key, body, runs)
        if deletion is not None and not purges(body) and not held_by(body):
            self._states.note(key, run.status or LCCPRunStatus(), deletion)
            return self._forget(key)
        note(attempt=(run.status.attempt or None) if run.status else None)
        memory = self._observing.memory(key, run)
        memory.read_status(body)
        memory.resync, memory.runs = None, runs
        now = self._cluster.server_time(datetime.now(UTC))
        observed = self._observing.observed(run, body, memory, now)
        observed = replace(observed, owner=owner, made_by=made_by, left_to=left_to)
        result = plan(run, observed, now)
        note(attempt=result.status.attempt or None)
        noted = partial(self._states.note, key, deletion_asked_at=deletion, left_to=result.left_to)
        with memory.noting_status(runs):
            posted = self._carried_out(result, run, observed, memory, runs, now, noted)
        memory.events_posted = posted
        self._left.note(key, uid, result.left_to, runs)
        unchanged = result.changes_nothing and result.status == run.status
        memory.carried_out(result, observed, unchanged and memory.events_posted)
        known = runs.written or body
        if memory.resync is None and memory.wrote(known):
            self._inbox.keep(key, known)
        memory.pack()
        again = TO_BE_TOLD_SECONDS if run.status is None else RETELL_SECONDS
        due, told = result.requeue_after_seconds, None if memory.events_posted else again
        return min(wait for wait in (due, told, IDLE_SECONDS) if wait is not None)

    def _noted(self, said: Said, key: RunKey, body: Object, runs: KubernetesRuns) -> float:
        """Record what was said instead of a plan in the store too, unless it is another's run."""
        uid = body["metadata"]["uid"]
        self._states.note(key, said.status, deletion_asked_at(body), said.left_to)
        self._left.note(key, uid, said.left_to, runs)
        health, guard = self._stores.get(store_name(body)), self._cluster.guard
        if health is None or said.told is None:
            return IDLE_SECONDS
        record = partial(record_conditions, keys=RunKeys(*key), run_uid=uid, told=said.told)
        return IDLE_SECONDS if health.tell(partial(record, guard=guard)) else PROBE_SECONDS

    def _forget(self, key: RunKey) -> float:
        """The run is gone, or deleted with its workloads: record that in a store that keeps it."""
        memory, guard = self.memories.get(key), self._cluster.guard
        record = partial(record_deletion, keys=RunKeys(*key), guard=guard)
        if memory is not None:
            health = self._observing.health(memory.store)
            if not health.tell(partial(record, run_uid=memory.uid)):
                return PROBE_SECONDS
        self.memories.pop(key, None)
        return math.inf

    def _carried_out(
        self,
        result: Plan,
        run: LCCPRun,
        observed: Observed,
        memory: RunMemory,
        runs: KubernetesRuns,
        now: datetime,
        noted: Callable[[LCCPRunStatus], None],
    ) -> bool:
        """Carry out the plan; False if its events, or those of a run's first gang, are yet to post.

        The status reports refusals at once, since the next call may take as long.
        """
        memory.events_posted = False
        health, guard = self._observing.health(run.spec.checkpoints.store_name), self._cluster.guard
        backend = Backend(health.store, memory.workloads, runs, guard, memory.observer.remember)

        def tell_store(status: LCCPRunStatus) -> None:
            act(Plan(tuple(said(run, observed.store, status)), status), run, backend)

        with (
            told(run, runs, guard, tell_store, noted, memory.loses_races),
            memory.noting_races(),
            doubted(health),
        ):
            act(result, run, backend)
            rejected = dict(memory.workloads.rejected)
            if run.status is None and result.applies_workloads and not rejected:
                noted(result.status)
                return False
            if rejected != observed.rejected:
                result = plan(run, replace(observed, rejected=rejected), now)
                tell_store(result.status)
            publish(result, run, backend)
            noted(result.status)
        return runs.posted
