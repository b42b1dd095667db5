"""Trainers and importers as processes that go on step by step, and may end between any two.

They do to the store what the real ones do, in the same order.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from hostile_cluster import Process
from operator_world import EVERY_TOKENS, KEYS, MemoryStore, heartbeat_of, manifest_of

from lccp.api.causes import MEANINGS, Cause
from lccp.api.objects.journal import Control
from lccp.api.objects.training import End
from lccp.contract.errors import InvalidInput
from lccp.store import objects
from lccp.store.assignment import attempt_spec, known_state
from lccp.store.keys import TrainingKeys, tokens_of, writer_name

STEP_TOKENS = EVERY_TOKENS // 2
KEPT_STATES = 2


class Counts(Protocol):
    """Who counts what trainers compute."""

    def begins_training(self, pod: Process, restart: bool) -> None: ...

    def trains(self, pod: Process, begin: int) -> None: ...

    def saved(self, pod: Process) -> None: ...


def complete(place: MemoryStore, below: str) -> list[int]:
    """Tokens of what has a manifest there, ascending."""
    found = (info.key for info in place.list(below) if info.key.endswith("/manifest.json"))
    return sorted(tokens_of(key, below) for key in found)


class Trainers:
    """What the processes of attempts do."""

    def __init__(self, counts: Counts, now: Callable[[], datetime]) -> None:
        self._counts, self._now = counts, now

    def begin(self, pod: Process) -> None:
        """It looks for its orders; of a branch, also for its end."""
        try:
            pod.spec = attempt_spec(pod.place, _keys(pod), pod.workload.attempt)
        except InvalidInput:
            self.end(pod, Cause.STORE_REFUSED)
            return
        branch = pod.workload.branch
        if branch is not None and complete(pod.place, KEYS.branch(branch).checkpoints):
            self.end(pod, Cause.COMPLETED)

    def go_on(self, pod: Process) -> None:
        if pod.stage == "Begun":
            pod.stage = "Looking"
            self.beat(pod)
        elif pod.spec.source is not None:
            self._import(pod)
        elif pod.stage == "Looking":
            self._load(pod)
        elif pod.due:
            pod.due.pop(0)(pod)
        else:
            self._train(pod)

    def beat(self, pod: Process) -> None:
        imports = pod.spec is not None and pod.spec.source is not None
        told = heartbeat_of(
            pod.workload.attempt,
            pod.tokens,
            self._now(),
            phase="Importing" if imports else "Training" if pod.works else "Starting",
            states=pod.states,
            checkpoints=pod.checkpoints,
        )
        told = told.model_copy(update={"writer": _writer(pod)})
        pod.place.put(_keys(pod).heartbeat(_writer(pod)), told.to_json())

    def terminate(self, pod: Process) -> None:
        """SIGTERM: it saves its state."""
        if pod.works and pod.spec.source is None:
            self._save_state(pod)
        self.end(pod, Cause.TERMINATED)

    def end(self, pod: Process, result: Cause) -> None:
        self.beat(pod)
        end = End(result=result, tokens=pod.tokens, at=self._now())
        pod.place.put(_keys(pod).end(_writer(pod)), end.to_json())
        pod.end(MEANINGS[result].exit_code or 0)

    def _load(self, pod: Process) -> None:
        """It resumes from the newest state, unless that is older than what is known."""
        keys, branch = _keys(pod), pod.workload.branch
        restart = pod.spec.checkpoints.lost_state == "Restart"
        states = complete(pod.place, keys.states)
        trunk = branch is None or bool(states) or branch in complete(pod.place, KEYS.states)
        try:
            known = known_state(pod.place, keys, pod.workload.attempt)
        except InvalidInput:
            self.end(pod, Cause.STORE_REFUSED)
            return
        if max(states, default=0) < known and not restart:
            self.end(pod, Cause.STORE_REFUSED)
        elif not trunk or not (states or restart or not complete(pod.place, keys.checkpoints)):
            self.end(pod, Cause.CONFIGURATION)
        else:
            self._resume(pod, states, restart)

    def _resume(self, pod: Process, states: list[int], restart: bool) -> None:
        pod.stage, pod.tokens = "Working", max([*states, pod.workload.branch or 0])
        self._counts.begins_training(pod, restart)
        self._note(pod)
        if states and pod.tokens % EVERY_TOKENS == 0:
            pod.due = [self._save_checkpoint]
        self.beat(pod)

    def _train(self, pod: Process) -> None:
        if pod.tokens >= _budget(pod):
            self.end(pod, Cause.COMPLETED)
        elif _asked_to_drain(pod):
            self._save_state(pod)
            self.end(pod, Cause.DRAINED)
        else:
            self._counts.trains(pod, pod.tokens)
            pod.tokens += STEP_TOKENS
            pod.due = self._due(pod)

    def _due(self, pod: Process) -> list[Callable[[Process], None]]:
        """Of a branch no state is saved at its end: nothing resumes from there."""
        if pod.workload.branch is not None:
            return [self._save_checkpoint] if pod.tokens == _budget(pod) else []
        whole = pod.tokens % EVERY_TOKENS == 0
        return [self._save_state, self._save_checkpoint] if whole else []

    def _save_state(self, pod: Process) -> None:
        """And delete those that need not be kept."""
        keys = _keys(pod)
        update = {"kind": "State", "writer": _writer(pod)}
        manifest = manifest_of(pod.tokens).model_copy(update=update)
        _put_if_absent(pod, keys.state_manifest(pod.tokens), manifest.to_json())
        self._counts.saved(pod)
        for old in complete(pod.place, keys.states)[:-KEPT_STATES]:
            if old not in pod.spec.branch_points:
                pod.place.delete(keys.state_manifest(old))
        self._note(pod)

    def _save_checkpoint(self, pod: Process) -> None:
        keys = _keys(pod)
        manifest = manifest_of(pod.tokens).to_json()
        _put_if_absent(pod, keys.checkpoint_manifest(pod.tokens), manifest)
        pod.checkpoints = complete(pod.place, keys.checkpoints)

    def _note(self, pod: Process) -> None:
        keys = _keys(pod)
        pod.states = complete(pod.place, keys.states)
        pod.checkpoints = complete(pod.place, keys.checkpoints)

    def _import(self, pod: Process) -> None:
        pod.stage, pod.checkpoints = "Working", complete(pod.place, KEYS.checkpoints)
        pod.tokens = max(pod.checkpoints, default=0)
        if _asked_to_drain(pod):
            self.end(pod, Cause.DRAINED)
        elif pod.tokens >= pod.spec.budget_tokens:
            self.end(pod, Cause.COMPLETED)
        else:
            pod.tokens += EVERY_TOKENS
            self._save_checkpoint(pod)
            self.beat(pod)


def _asked_to_drain(pod: Process) -> bool:
    try:
        control = objects.read_or_none(pod.place, KEYS.control(pod.workload.attempt), Control)
    except InvalidInput:
        return False
    return control is not None and control.request == "Drain"


def _put_if_absent(pod: Process, key: str, data: bytes) -> None:
    if key not in pod.place.objects:
        pod.place.put(key, data)


def _budget(pod: Process) -> int:
    branch = pod.workload.branch
    of_branch = 0 if branch is None else branch + int(pod.spec.checkpoints.anneal.tokens)
    return of_branch or int(pod.spec.budget_tokens)


def _keys(pod: Process) -> TrainingKeys:
    branch = pod.workload.branch
    return KEYS if branch is None else KEYS.branch(branch)


def _writer(pod: Process) -> str:
    return writer_name(pod.workload.attempt, pod.uid)
