"""What may happen to a run, as rules of a state machine: to its machines, its store, its object.

Most of what is lost matters only once the run goes on, so these rules also say what happened
`before` (nothing, all processes died, or the next attempt is pending since), and for how many
rounds the run lives `then`.
"""

from typing import Any

from hostile_cluster import Process
from hostile_ledger import reports_in
from hostile_world import HostileWorld
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp_operator.workloads.training import Training

FAILURES = [Cause.INTERNAL, Cause.INTERNAL, Cause.CONFIGURATION]
BEFORE = st.sampled_from(["", "", "", "dead", "pending"])
THEN = st.integers(0, 3)
WHICH = st.integers(0, 5)


class OfMachines(RuleBasedStateMachine):
    """What happens to the operator, and to Jobs and pods."""

    world: HostileWorld
    workloads: Any = None
    """Some that were seen a while ago."""

    @rule()
    def look(self) -> None:
        self.world.look(self.workloads)

    @precondition(lambda self: self.world.operator.has_looked)
    @rule()
    def act(self) -> None:
        self.world.act()
        self.note()

    @rule()
    def see_workloads(self) -> None:
        self.workloads = self.world.cluster.states()

    @rule(steps=st.integers(0, 6))
    def crash(self, steps: int) -> None:
        self.world.crash(steps)
        self.world.restart_operator()
        self.note()

    @rule(rounds=st.integers(1, 4), wait=st.sampled_from([0, 0, 5, 35]))
    def live(self, rounds: int, wait: int) -> None:
        self.world.tick(wait)
        self.world.live(rounds)
        self.note()

    @rule(seconds=st.sampled_from([1, 5, 11, 35, 700]))
    def tick(self, seconds: int) -> None:
        self.world.tick(seconds)

    @precondition(lambda self: self.world.cluster.alive)
    @rule(which=WHICH, steps=st.integers(1, 8))
    def work(self, which: int, steps: int) -> None:
        for _ in range(steps):
            self.world.processes.go_on(self.pod(which))

    @precondition(lambda self: self.world.cluster.alive)
    @rule(which=WHICH, cause=st.sampled_from(FAILURES))
    def fails(self, which: int, cause: Cause) -> None:
        if self.pod(which).stage != "Pending":
            self.world.processes.fail(self.pod(which), cause)

    @precondition(lambda self: self.world.cluster.alive)
    @rule(which=WHICH, disrupted=st.booleans())
    def is_killed(self, which: int, disrupted: bool) -> None:
        pod = self.pod(which)
        pod.disrupted = disrupted
        pod.end(ExitCode.KILLED)

    @rule(noticed=st.booleans())
    def all_are_killed(self, noticed: bool) -> None:
        for pod in self.world.cluster.alive:
            pod.end(ExitCode.KILLED)
        if noticed:
            self.world.cluster.settle()

    @rule()
    def queue_evicts(self) -> None:
        for job in self.world.cluster.jobs.values():
            if job.finished is None and isinstance(job.workload, Training):
                self.world.cluster.evict(job)

    @rule(looks=st.booleans(), steps=st.integers(0, 4))
    def queue_admits(self, looks: bool, steps: int) -> None:
        self.world.deleted_pods_end()
        self.world.cluster.settle()
        if looks:
            self.world.reconcile()
        self.world.cluster.admit(self.world.now)
        self.world.go_on(steps)

    @precondition(lambda self: self.world.cluster.jobs)
    @rule(which=WHICH, orphan=st.booleans())
    def job_is_deleted(self, which: int, orphan: bool) -> None:
        jobs = list(self.world.cluster.jobs.values())
        self.world.cluster.delete_by_hand(jobs[which % len(jobs)], orphan)

    @precondition(lambda self: self.world.cluster.alive)
    @rule(which=WHICH)
    def node_is_cut_off(self, which: int) -> None:
        """From Kubernetes, but not from the store; what has yet to report is not noticed."""
        pod = self.pod(which)
        if pod.stage in ("Looking", "Working"):
            pod.lost = pod.deleting = True

    @precondition(lambda self: any(pod.lost for pod in self.world.cluster.pods))
    @rule()
    def nodes_are_back(self) -> None:
        for pod in [pod for pod in self.world.cluster.pods if pod.lost]:
            pod.end(ExitCode.KILLED)
            pod.lost = False
        self.world.cluster.settle()

    def pod(self, which: int) -> Process:
        known = self.world.cluster.alive or self.world.cluster.pods
        return known[which % len(known)]

    def note(self) -> None:
        """Look around, since something has changed."""


class OfObjects(OfMachines):
    """What happens to the store and the run object, too."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Any] = []
        self.statuses: list[Any] = [None]

    @rule(elsewhere=st.booleans(), before=BEFORE, then=THEN)
    def name_leads(self, elsewhere: bool, before: str, then: int) -> None:
        self._before(before)
        self.world.lead(elsewhere)
        self._live(then)

    @rule(before=BEFORE, then=THEN)
    def prefix_is_emptied(self, before: str, then: int) -> None:
        self._before(before)
        self.world.empty()
        self._live(then)

    @precondition(lambda self: self.copies)
    @rule(which=WHICH, first=st.booleans(), before=BEFORE, then=THEN)
    def copy_is_put_back(self, which: int, first: bool, before: str, then: int) -> None:
        """Of the copies that were taken at every look; `first`: counted from the first."""
        self._before(before)
        which %= len(self.copies)
        self.world.put_back(self.copies[which if first else -1 - which])
        self._live(then)

    @precondition(lambda self: self.world.whole is not None or self.world.store.elsewhere)
    @rule(then=THEN)
    def store_is_mended(self, then: int) -> None:
        if self.world.whole is not None:
            self.world.put_back(self.world.whole)
        self.world.lead(False)
        self._live(then)

    @rule(whole=st.booleans(), before=BEFORE, then=THEN)
    def states_are_deleted(self, whole: bool, before: str, then: int) -> None:
        self._before(before)
        self.world.delete_states(whole)
        self._live(then)

    @rule(whole=st.booleans(), before=BEFORE, then=THEN)
    def reports_are_deleted(self, whole: bool, before: str, then: int) -> None:
        self._before(before)
        there = reports_in(self.world.store.own)
        self.world.delete_reports(there if whole else there[:1])
        self._live(then)

    @rule(before=BEFORE, then=THEN, data=st.sampled_from([None, b"{"]))
    def journal_is_lost(self, data: bytes | None, before: str, then: int) -> None:
        self._before(before)
        self.world.change_journal(data)
        self._live(then)

    @rule(which=WHICH, before=BEFORE, then=THEN)
    def status_is_set(self, which: int, before: str, then: int) -> None:
        """Emptied, or set back."""
        self._before(before)
        self.world.set_status(self.statuses[-which % len(self.statuses)])
        self._live(then)

    @rule(suspend=st.booleans(), between=THEN, then=THEN)
    def suspend(self, suspend: bool, between: int, then: int) -> None:
        self.world.edit(suspend=True)
        self._live(between)
        self.world.edit(suspend=suspend)
        self._live(then)

    @rule(lost_state=st.sampled_from(["Fail", "Restart"]), then=THEN)
    def lost_state(self, lost_state: str, then: int) -> None:
        known = self.world.object.run.document()["spec"]["checkpoints"]
        self.world.edit(checkpoints={**known, "lostState": lost_state})
        self._live(then)

    @rule(seconds=st.integers(100, 109), then=THEN)
    def settings_change(self, seconds: int, then: int) -> None:
        """For the next attempt; of a run that failed it is a request to try again."""
        self.world.edit(topology={"terminationGracePeriodSeconds": seconds})
        self._live(then)

    @precondition(lambda self: self.world.ledger.reports)
    @rule(which=WHICH, word=st.integers(0, 10**6), then=THEN)
    def evaluation_is_asked_again(self, which: int, word: int, then: int) -> None:
        done = sorted(self.world.ledger.reports)
        self.world.ask_again(done[which % len(done)], str(word))
        self._live(then)

    @rule(recorded=st.booleans(), then=THEN)
    def apply_again(self, recorded: bool, then: int) -> None:
        self.world.apply_again(recorded)
        self.workloads, self.statuses = None, [None]
        self._live(then)

    def note(self) -> None:
        """What was there: it may come back."""
        self.workloads = None
        copy, status = self.world.store.own.copy(), self.world.object.run.status
        if self.world.whole is None and copy not in self.copies[-1:]:
            self.copies.append(copy)
        if status not in self.statuses[-3:]:
            self.statuses.append(status)

    def _before(self, what: str) -> None:
        if what:
            self.all_are_killed(True)
        if what == "pending":
            self.world.reconcile(2)
            self.world.tick(35)
            self.world.reconcile(2)
        self.note()

    def _live(self, rounds: int) -> None:
        self.world.live(rounds)
        self.note()
