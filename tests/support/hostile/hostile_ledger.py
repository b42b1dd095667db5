"""What a hostile world's run has computed, and what somebody may know of it.

Compute that nobody can know of is forgiven: docs/known-gaps.md names these windows.
"""

from collections.abc import Iterable
from datetime import datetime

from hostile_cluster import Cluster, Process
from hostile_operator import Operator, Place, RunObject
from hostile_trainers import complete
from operator_world import KEYS, START

from lccp.api.objects.journal import Journal
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput
from lccp.facts.facts import EvaluationKey
from lccp.store import objects
from lccp_operator.facts import Facts
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import Known
from lccp_operator.workloads.evaluation import Evaluation


class Spent(AssertionError):
    """Compute was spent twice."""


class Ledger:
    """Counts what is trained, by states, and evaluated, by reports."""

    def __init__(self, run_object: RunObject, cluster: Cluster, own: Place) -> None:
        self._object, self._cluster, self._own = run_object, cluster, own
        self.trained: dict[int | None, int] = {}
        """Tokens up to which it is saved, by branch."""
        self.reports: set[EvaluationKey] = set()
        self.forgives = False
        """Nothing is known of the run any more, but what the store says."""
        self.unlooked = False
        """A copy was put back, and the operator has not looked since."""
        self._copied: tuple[int, frozenset[EvaluationKey]] | None = None

    def begins_training(self, pod: Process, restart: bool) -> None:
        branch = pod.workload.branch
        if restart or self.forgives or self.unlooked:
            self.trained[branch] = min(pod.tokens, self.trained.get(branch, 0))
        beside = [p for p in self._cluster.trainers() if p is not pod and p.works]
        beside = [p for p in beside if p.workload.branch == branch]
        if beside and not self.forgives:
            raise Spent(f"{pod} begins beside {beside}")

    def trains(self, pod: Process, begin: int) -> None:
        if begin < self.trained.get(pod.workload.branch, 0) and not self.forgives:
            raise Spent(f"{pod} trains from {begin}, and {self.trained} is saved")

    def saved(self, pod: Process) -> None:
        branch = pod.workload.branch
        self.trained[branch] = max(pod.tokens, self.trained.get(branch, 0))

    def begins_evaluation(self, pod: Process) -> None:
        key, pods = pod.workload.key, self._cluster.pods
        own = [p for p in pods if isinstance(p.workload, Evaluation) and p.workload.key == key]
        beside = [other for other in own if other is not pod and other.works]
        if (beside or key in self.reports) and not self.forgives:
            raise Spent(f"{pod} begins beside {beside}, or there is a report")

    def reported(self, pod: Process) -> None:
        self.reports.add(pod.workload.key)

    # Loss ------------------------------------------------------------------------------------

    def begin_anew(self) -> None:
        """Somebody applied it again: it goes on from what is left."""
        self.trained = {None: max(complete(self._own, KEYS.states), default=0)}
        self.reports = {*reports_in(self._own)}
        self.forgives, self.unlooked, self._copied = False, False, None

    def forget(self, keys: Iterable[EvaluationKey]) -> None:
        """Somebody deleted these reports, or asks for others."""
        self.reports -= set(keys)

    def emptied(self, operator: Operator) -> None:
        """The store holds nothing any more: status, Jobs and operator may tell that it began."""
        status = self._object.read.status or LCCPRunStatus()
        told = status.start_time or status.progress.last_heartbeat_time or operator.memory.heard
        if not (told or self._cluster.states()):
            self.trained, self.reports, self.forgives = {}, set(), True

    def states_deleted(self) -> None:
        known = max(_told(self._own, self._object.run.metadata.uid), default=0)
        left = max(complete(self._own, KEYS.states), default=0)
        self.trained[None] = min(self.trained.get(None, 0), max(known, left))

    def copied(self, operator: Operator, forged: bool) -> None:
        """An older copy was put back."""
        newest = max(complete(self._own, KEYS.states), default=0)
        self._copied, self.unlooked = (newest, frozenset(reports_in(self._own))), True
        self.judge(operator, forged)

    def judge(self, operator: Operator, forged: bool) -> None:
        """Forget what only the copy lacks of which neither status nor operator have heard."""
        if self._copied is None:
            return
        own = operator.memory.status_is_own and not forged
        status = self._object.status if own else LCCPRunStatus()
        if _status_misses(status, self._own):
            return
        newest, left = self._copied
        self.reports &= left
        heard = operator.memory.heard
        if not _heartbeat_misses(status, heard.at if heard else None, self._own):
            self.trained[None], self._copied = min(self.trained.get(None, 0), newest), None


def facts_of(place: Place) -> Facts:
    found = StoreObserver(place, KEYS).part(START)
    return found.value if isinstance(found, Known) else Facts()


def reports_in(place: Place) -> list[EvaluationKey]:
    return list(facts_of(place).reports)


def _told(place: Place, uid: str) -> Iterable[int]:
    """Tokens of states that attempts of this run object told, or that the journal notes."""
    facts = facts_of(place)
    accepted = facts.journal.accepted
    if accepted is None or accepted.run_uid != uid:
        return
    attempts = [a for a in facts.journal.attempts if a.started_at >= accepted.at]
    for attempt in attempts:
        beat = facts.heartbeats.get(attempt.number)
        yield attempt.newest_state or 0
        yield max(beat.states, default=0) if beat is not None else 0


def _status_misses(status: LCCPRunStatus, place: Place) -> bool:
    """The status shows that this copy lacks something, or the copy itself does."""
    try:
        journal = objects.read_or_none(place, KEYS.journal, Journal)
    except InvalidInput:
        return True
    if journal is None or KEYS.identity not in place.objects:
        return True
    newest = journal.attempts[-1] if journal.attempts else None
    if newest is None or status.attempt > newest.number:
        return status.attempt > 0
    told = max((one.tokens for one in status.checkpoints), default=0)
    if told > max(complete(place, KEYS.checkpoints), default=0):
        return True
    ended = [one.number for one in status.attempts if one.ended_at]
    return newest.ended_at is None and newest.number in ended


def _heartbeat_misses(status: LCCPRunStatus, heard: datetime | None, place: Place) -> bool:
    """A heartbeat that was read is gone, of an attempt that is open according to the copy."""
    facts = facts_of(place)
    newest = facts.journal.attempts[-1] if facts.journal.attempts else None
    if newest is None or newest.ended_at is not None:
        return False
    told = status.progress.last_heartbeat_time
    known = [*([told] if told and told >= newest.started_at else []), *([heard] if heard else [])]
    beat = max((one.heartbeat.at for one in facts.told if one.heartbeat), default=None)
    return bool(known) and (beat is None or max(known) > beat)
