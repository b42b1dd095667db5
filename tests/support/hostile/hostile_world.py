"""One run, its operator, its cluster and its store, to all of which anything may happen."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hostile_cluster import Cluster
from hostile_ledger import Ledger
from hostile_operator import Name, Operator, RunObject
from hostile_processes import Processes
from hostile_trainers import complete
from operator_world import KEYS, START, with_spec, with_uid

from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, InvalidInput
from lccp.facts.facts import EvaluationKey
from lccp_operator.records import record_deletion
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import WorkloadState


class HostileWorld:
    """The run object, and everything about it."""

    def __init__(self, run: LCCPRun) -> None:
        self.now, self.store, self.cluster = START, Name(), Cluster()
        self.object = RunObject(run)
        self.operator = Operator(self.object, self.cluster, self.store)
        self.ledger = Ledger(self.object, self.cluster, self.store.own)
        self.processes = Processes(self.ledger, lambda: self.now, lambda: self.store.place)
        self.whole: Mapping[str, bytes] | None = None
        """What the run's place held before somebody changed it; None: nobody did."""
        self._forged = self._blind = False

    # The operator ---------------------------------------------------------------------------

    def restart_operator(self) -> None:
        self.operator.restart()
        self._has_restarted()

    def look(self, workloads: Mapping[Workload, WorkloadState] | None = None) -> None:
        self.operator.look(self.now, workloads)

    def act(self) -> None:
        decided = self.operator.act(self.now)
        if decided is not None:
            self.ledger.unlooked = False
            if not self.store.elsewhere and self.whole is None:
                self._forged = self._blind = False
        elif self.operator.memory.is_new:
            self._has_restarted()

    def reconcile(self, times: int = 1) -> None:
        for _ in range(times):
            self.look()
            self.act()

    def crash(self, steps: int) -> None:
        """It ends after so many steps of a reconcile."""
        self.operator.steps_before_crash = steps
        self.reconcile()
        self.operator.steps_before_crash = None

    def _has_restarted(self) -> None:
        self._blind |= self._forged
        self.ledger.judge(self.operator, self._forged)
        self._forgive()

    # Time ------------------------------------------------------------------------------------

    def tick(self, seconds: float) -> None:
        """All that lives reports, every few seconds; controllers do what is due."""
        self.now += timedelta(seconds=seconds)
        for pod in self.cluster.alive:
            self.processes.beat(pod)
        if seconds > 30:
            self.deleted_pods_end()
        self.cluster.settle()

    def deleted_pods_end(self) -> None:
        for pod in self.cluster.alive:
            if pod.deleting and not pod.lost:
                self.processes.terminate(pod)

    def live(self, rounds: int, steps: int = 3) -> None:
        """Nothing unusual happens for a while."""
        for _ in range(rounds):
            self.reconcile()
            self.deleted_pods_end()
            self.go_on(steps)
            self.tick(5)
            self.cluster.admit(self.now)

    def go_on(self, steps: int) -> None:
        for pod in self.cluster.alive:
            for _ in range(steps):
                self.processes.go_on(pod)

    # The run's user -----------------------------------------------------------------------------

    def edit(self, **spec: Any) -> None:
        metadata = self.object.run.metadata
        later = metadata.model_copy(update={"generation": metadata.generation + 1})
        self.object.run = with_spec(self.object.run, **spec)
        self.object.change(metadata=later)

    def ask_again(self, key: EvaluationKey, words: str) -> None:
        self.object.reevaluate = f"{key[0]}/{key[1]} {words}"
        self.object.change()
        self.ledger.forget([key])

    def apply_again(self, recorded: bool) -> None:
        """Its Jobs end first; an operator that leads then records that the object is gone."""
        for pod in self.cluster.alive:
            self.processes.terminate(pod)
        self.cluster.end_everything()
        uid = self.object.run.metadata.uid
        if recorded:
            with suppress(Conflict, InvalidInput):
                record_deletion(self.store, KEYS, uid, lambda: None)
        self.object.run = with_uid(self.object.run, f"{uid}+")
        self.object.change(status=None)
        self.object.reevaluate, self.whole = None, None
        self.now += timedelta(seconds=1)
        self.operator.restart()
        self._forged = self._blind = False
        self.ledger.begin_anew()

    # Forgery and loss -------------------------------------------------------------------------

    def set_status(self, status: LCCPRunStatus | None) -> None:
        """Somebody else does."""
        self.object.change(status=status)
        self._forged = True
        self._blind |= self.operator.memory.is_new
        self.ledger.judge(self.operator, True)
        self._forgive()

    def lead(self, elsewhere: bool) -> None:
        self.store.elsewhere = elsewhere
        self._forgive()

    def empty(self) -> None:
        self._change()
        self.ledger.emptied(self.operator)
        self.store.own.put_back({})
        self._forgive()

    def put_back(self, copy: Mapping[str, bytes]) -> None:
        self._change()
        if KEYS.identity not in copy:
            self.ledger.emptied(self.operator)
        self.store.own.put_back(copy)
        self.whole = None if copy == self.whole else self.whole
        self.ledger.copied(self.operator, self._forged)
        self._forgive()

    def change_journal(self, data: bytes | None) -> None:
        """Delete it, or replace it."""
        self._change()
        self.ledger.emptied(self.operator)
        if data is None:
            self.store.own.delete(KEYS.journal)
        else:
            self.store.own.put(KEYS.journal, data)
        self._forgive()

    def delete_states(self, all_of_them: bool) -> None:
        states = complete(self.store.own, KEYS.states)
        for tokens in states if all_of_them else states[-1:]:
            self.store.own.delete(KEYS.state_manifest(tokens))
        self.ledger.states_deleted()

    def delete_reports(self, keys: list[EvaluationKey]) -> None:
        for key in keys:
            self.store.own.delete(KEYS.report(*key))
        self.ledger.forget(keys)

    def _change(self) -> None:
        if self.whole is None:
            self.whole = self.store.own.copy()

    def _forgive(self) -> None:
        """Status forged, operator restarted, and the store not as it was: nobody knows better."""
        if self._blind and (self.whole is not None or self.store.elsewhere):
            self.ledger.forgives = True
