"""What runs in the pods of a hostile world: trainers, importers and evaluators."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Protocol

from hostile_cluster import Process
from hostile_trainers import Counts as CountsOfTrainers
from hostile_trainers import Trainers
from operator_world import KEYS, MemoryStore, report_of

from lccp.api.causes import MEANINGS, Cause
from lccp.api.labels import ANNEAL
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationFailure, EvaluationProgress
from lccp.contract.errors import Conflict, NotFound
from lccp.facts.facts import EvaluationKey
from lccp.store import objects
from lccp_operator.workloads.training import Training


class Counts(CountsOfTrainers, Protocol):
    """Who counts what is computed."""

    def begins_evaluation(self, pod: Process) -> None: ...

    def reported(self, pod: Process) -> None: ...


class Processes:
    """What they do; `place` is where their store's name leads when they begin."""

    def __init__(
        self, counts: Counts, now: Callable[[], datetime], place: Callable[[], MemoryStore]
    ) -> None:
        self._counts, self._now, self._place = counts, now, place
        self._trainers = Trainers(counts, now)

    def go_on(self, pod: Process) -> None:
        """The next thing that its process does."""
        if pod.ended:
            return
        if pod.stage == "Pending":
            self._begin(pod)
        elif isinstance(pod.workload, Training):
            self._trainers.go_on(pod)
        elif pod.works:
            self._report(pod)
        else:
            self._look(pod)

    def beat(self, pod: Process) -> None:
        """What it writes every few seconds, from its first words on."""
        if pod.stage not in ("Looking", "Working"):
            return
        if isinstance(pod.workload, Training):
            self._trainers.beat(pod)
            return
        progress = EvaluationProgress(done=1, total=2, at=self._now(), beats=True)
        pod.place.put(KEYS.evaluation_progress(*pod.workload.key), progress.to_json())

    def terminate(self, pod: Process) -> None:
        """SIGTERM."""
        self.fail(pod, Cause.TERMINATED)

    def fail(self, pod: Process, cause: Cause) -> None:
        """It ends, and says why, if it has begun."""
        if pod.stage == "Pending" or not isinstance(pod.workload, Training):
            self._say(pod, cause)
        elif cause is Cause.TERMINATED:
            self._trainers.terminate(pod)
        else:
            self._trainers.end(pod, cause)

    def _begin(self, pod: Process) -> None:
        pod.began_at, pod.place, pod.stage = self._now(), self._place(), "Begun"
        if isinstance(pod.workload, Training):
            self._trainers.begin(pod)

    def _look(self, pod: Process) -> None:
        """An evaluator looks what is there, and begins to work."""
        key, place = pod.workload.key, pod.place
        if KEYS.report(*key) in place.objects:
            pod.end(0)
            return
        try:
            pod.spec = _measured(place, key).to_json()
        except NotFound:
            there = KEYS.identity in place.objects
            self._say(pod, Cause.CONFIGURATION if there else Cause.STORE_REFUSED)
            return
        pod.stage = "Working"
        self._counts.begins_evaluation(pod)
        self.beat(pod)

    def _report(self, pod: Process) -> None:
        with suppress(Conflict):
            key = pod.workload.key
            pod.place.put_if_absent(KEYS.report(*key), _report_of(key, pod.spec))
        self._counts.reported(pod)
        pod.end(0)

    def _say(self, pod: Process, cause: Cause) -> None:
        code = int(MEANINGS[cause].exit_code or 1)
        if pod.place is not None:
            told = EvaluationFailure(cause=cause, message="so", exit_code=code, at=self._now())
            pod.place.put(KEYS.evaluation_failure(*pod.workload.key), told.to_json())
        pod.end(code)


def _measured(place: MemoryStore, key: EvaluationKey) -> Manifest:
    if key[1] != ANNEAL:
        return objects.read(place, KEYS.checkpoint_manifest(key[0]), Manifest)
    found = objects.branch_end(place, KEYS.branch(key[0]))
    if found is None:
        raise NotFound(ANNEAL)
    return found


@cache
def _report_of(key: EvaluationKey, manifest: bytes) -> bytes:
    update = {"tokens": key[0], "suite": key[1]}
    return report_of(Manifest.from_json(manifest, "")).model_copy(update=update).to_json()
