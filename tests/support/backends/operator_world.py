"""A run in a world without machines: a store in memory, and workloads that obey the test.

The trainer and the evaluators are simulated. The operator's observing, planning and applying are
real.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import a_run

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Journal, Pinned
from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.training import End, Heartbeat
from lccp.api.objects.verdict import CheckpointVerdict, Verdict, VerdictState
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, NotFound
from lccp.facts.facts import Checkpoint
from lccp.store.keys import RunKeys, TrainingKeys, writer_name
from lccp.store.port import Entry, ObjectInfo, StoreLevel
from lccp_operator.apply import Backend, apply
from lccp_operator.compact import CompactReport
from lccp_operator.facts import Facts
from lccp_operator.intents import ApplyWorkload, Event, Plan
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import HeardBeat, Known, Observed, Owner, Unknown
from lccp_operator.plan import plan
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
KEYS = RunKeys("default", "tiny")
EVERY_TOKENS = 8_192
BUDGET_TOKENS = 5 * EVERY_TOKENS
CAUSES = {
    ExitCode.CONFIGURATION: Cause.CONFIGURATION,
    ExitCode.STORE_UNREACHABLE: Cause.STORE_UNREACHABLE,
    ExitCode.INTERNAL: Cause.INTERNAL,
    ExitCode.HANG: Cause.HANG,
    ExitCode.TERMINATED: Cause.TERMINATED,
    ExitCode.NOT_FINITE: Cause.NOT_FINITE,
}


class Crash(Exception):
    """The operator's process ends here."""


def a_small_run(uid: str = "run-1", **spec: Any) -> LCCPRun:
    """Five checkpoints long; it stops when it is saturated. `spec` replaces whole parts."""
    training = {
        "tokens": BUDGET_TOKENS,
        "globalBatchTokens": 4_096,
        "learningRate": "1.5e-4",
    }
    parts = {"training": training, "checkpoints": {"everyTokens": EVERY_TOKENS}, **spec}
    run = a_run.run(**parts)
    return with_uid(run, uid)


def an_attached_run(**spec: Any) -> LCCPRun:
    """The same, of which another trainer leaves the checkpoints in `/checkpoints`."""
    document = a_small_run(**spec).document()
    del document["spec"]["training"], document["spec"]["data"]
    source = {"path": "/checkpoints", "contextLength": 256, "untilTokens": BUDGET_TOKENS}
    document["spec"]["source"] = source
    return LCCPRun.parse(document, "attached")


def with_uid(run: LCCPRun, uid: str) -> LCCPRun:
    metadata = run.metadata.model_copy(update={"uid": uid, "generation": 1})
    return run.model_copy(update={"metadata": metadata})


def with_spec(run: LCCPRun, **spec: Any) -> LCCPRun:
    """`run` after an edit of its spec; `spec` replaces whole parts, as in the manifest."""
    document = run.document()
    document["spec"] |= spec
    return LCCPRun.parse(document, "edit")


def manifest_of(tokens: int) -> Manifest:
    return Manifest(
        kind="Checkpoint",
        tokens=tokens,
        step=tokens // 4_096,
        writer="a1-00000000",
        files={"model.safetensors": FileRecord(size=1, sha256=f"{tokens:064x}")},
        source_context_length=256,
        target_context_length=512,
    )


def checkpoint_of(tokens: int) -> Checkpoint:
    """What is kept of that manifest."""
    manifest = manifest_of(tokens)
    return Checkpoint(tokens, manifest.step, manifest.writer, manifest.digest)


def compact_report_of(checkpoint: Manifest) -> CompactReport:
    """The report as the operator keeps it."""
    return CompactReport.of(report_of(checkpoint))


def report_of(checkpoint: Manifest) -> EvaluationReport:
    update = {"checkpoint_digest": checkpoint.digest}
    return a_run.report(checkpoint.tokens).model_copy(update=update)


def heartbeat_of(attempt: int, tokens: int, at: datetime, **more: Any) -> Heartbeat:
    fields = {"phase": "Training", "tokens_total": BUDGET_TOKENS} | more
    writer = writer_name(attempt, f"{attempt:08x}")
    return Heartbeat(attempt=attempt, writer=writer, at=at, tokens=tokens, **fields)


def verdict_of(
    checkpoints: Sequence[int], state: VerdictState = VerdictState.UNDETERMINED
) -> Verdict:
    return Verdict(
        state=state,
        since_tokens=checkpoints[-1],
        at_tokens=checkpoints[-1],
        policy=Policy(horizon_tokens=EVERY_TOKENS, min_gain=0.03),
        evidence=("The gain is within ±0.03.",),
        advice="Act on it.",
        checkpoints=tuple(CheckpointVerdict(tokens=t, state=state) for t in checkpoints),
    )


def saturating_at(tokens: int) -> Callable[[Sequence[EvaluationReport], Policy], Verdict]:
    """A judge to whom the run is saturated from the checkpoint at `tokens` on."""

    def judge(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
        seen = [report.tokens for report in reports]
        saturated = seen[-1] >= tokens
        return verdict_of(seen, VerdictState.SATURATED if saturated else VerdictState.IMPROVING)

    return judge


NEVER = saturating_at(10 * BUDGET_TOKENS)
"""A judge to whom the run is never saturated."""


class MemoryStore:
    """A store in memory, with ETags that count versions."""

    url = "memory://"

    def __init__(self) -> None:
        self.objects: dict[str, Entry] = {}
        self.gets: list[str] = []
        self.version = 0

    def get(self, key: str) -> bytes:
        return self.get_entry(key).data

    def get_entry(self, key: str) -> Entry:
        self.gets.append(key)
        if key not in self.objects:
            raise NotFound(key)
        return self.objects[key]

    def put(self, key: str, data: bytes) -> str:
        self.version += 1
        self.objects[key] = Entry(data, str(self.version))
        return self.objects[key].etag

    def put_if_absent(self, key: str, data: bytes) -> str:
        if key in self.objects:
            raise Conflict(f"{key} exists")
        return self.put(key, data)

    def put_if_match(self, key: str, data: bytes, etag: str) -> str:
        if key not in self.objects or self.objects[key].etag != etag:
            raise Conflict(f"{key} was changed")
        return self.put(key, data)

    def stat(self, key: str) -> ObjectInfo | None:
        return self._info(key) if key in self.objects else None

    def list(self, prefix: str) -> list[ObjectInfo]:
        return [self._info(key) for key in sorted(self.objects) if key.startswith(prefix)]

    def scan(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(self.list(prefix))

    def level(self, prefix: str) -> StoreLevel:
        below = [info for info in self.list(prefix) if "/" not in info.key.removeprefix(prefix)]
        rests = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return StoreLevel(
            below, sorted({prefix + r.partition("/")[0] + "/" for r in rests if "/" in r})
        )

    def delete(self, key: str) -> None:
        self.version += 1
        self.objects.pop(key, None)

    def _info(self, key: str) -> ObjectInfo:
        entry = self.objects[key]
        modified = START + timedelta(seconds=int(entry.etag))
        return ObjectInfo(key, len(entry.data), entry.etag, modified)

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> bytes:
        return self.get(key)[start : start + length]

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def put_file(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())


@dataclass
class Worker:
    """A simulated workload."""

    phase: Phase = Phase.RUNNING
    exit_code: int | None = None
    disrupted: bool = False
    out_of_memory: bool = False
    deleting: bool = False
    tokens: int = 0
    uid: str = ""
    """Of its pod; empty: of its first one. A queue or scheduler admits it again with another."""


@dataclass
class World:
    """The run object, the store, the workloads, and the operator that reconciles them."""

    run: LCCPRun
    judge: Callable[[Sequence[EvaluationReport], Policy], Verdict]
    store: MemoryStore = field(default_factory=MemoryStore)
    workers: dict[Workload, Worker] = field(default_factory=dict)
    now: datetime = START
    events: list[Event] = field(default_factory=list)
    started: list[Workload] = field(default_factory=list)
    owner: Owner = field(default_factory=Owner)
    finalizer: bool = False
    held_by: tuple[str, ...] = ()
    reevaluate: str | None = None
    model_config: Mapping[str, Any] | None = None
    deleted: bool = False
    steps_before_crash: int | None = None
    status_writes: int = 0

    def __post_init__(self) -> None:
        self._witness = StoreObserver(self.store, KEYS)
        self._seen: tuple[int, Facts] | None = None
        self.restart_operator()

    # The backend's ports -------------------------------------------------------------------------

    def apply(self, run: LCCPRun, workload: Workload, pinned: Pinned) -> None:
        if workload not in self.workers:
            self.workers[workload] = Worker()
            self.started.append(workload)

    def delete(
        self, run: LCCPRun, workload: Workload | None = None, wait_for_pods: bool = True
    ) -> None:
        if workload is None:
            self.deleted = True
        elif workload in self.workers:
            self.workers[workload].deleting = True

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        self.status_writes += 1
        self.run = self.run.model_copy(update={"status": status})

    def post(self, run: LCCPRun, event: Event) -> None:
        """As an API server does it: the same event is not recorded twice."""
        self._guard()
        if identity(event) not in map(identity, self.events):
            self.events.append(event)

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        self.finalizer = present

    def end_reevaluation(self, run: LCCPRun, asked: str) -> None:
        self._guard()
        if self.reevaluate == asked:
            self.reevaluate = None

    # The operator -----------------------------------------------------------------------------

    def restart_operator(self) -> None:
        self.observer = StoreObserver(self.store, KEYS)
        self.events_posted = False
        self.heard: HeardBeat | None = None
        self.has_begun = False

    def observed(self) -> Observed:
        workloads = Known({w: _state(w, worker) for w, worker in self.workers.items()})
        store = self.observer.part(self.now)
        return Observed(
            workloads,
            store,
            owner=self.owner,
            finalizer=self.finalizer,
            held_by=self.held_by,
            reevaluate=self.reevaluate,
            model_config=self.model_config,
            events_posted=self.events_posted,
            heard=self.heard,
            begun=self.has_begun,
        )

    def plan(self, observed: Observed | None = None) -> Plan:
        return plan(self.run, observed or self.observed(), self.now, self.judge)

    def reconcile(self, observed: Observed | None = None) -> Plan:
        """Plan and apply; a planned crash raises, and restarts the operator."""
        decided = self.plan(observed)
        try:
            apply(decided, self.run, Backend(self.store, self, self, self._guard))
            self.events_posted = True
            self.heard = decided.heard or self.heard
            self.has_begun |= decided.status.start_time is not None
        except Crash:
            self.restart_operator()
        return decided

    def _guard(self) -> None:
        if self.steps_before_crash is None:
            return
        if self.steps_before_crash == 0:
            self.steps_before_crash = None
            raise Crash
        self.steps_before_crash -= 1

    # The machines -----------------------------------------------------------------------------

    @property
    def trainer(self) -> tuple[Training, Worker] | None:
        """The gang that runs."""
        for workload, worker in self.workers.items():
            if isinstance(workload, Training) and worker.phase is Phase.RUNNING:
                return workload, worker
        return None

    @property
    def evaluators(self) -> list[tuple[Evaluation, Worker]]:
        """The evaluators that run."""
        return [
            (workload, worker)
            for workload, worker in self.workers.items()
            if isinstance(workload, Evaluation) and worker.phase is Phase.RUNNING
        ]

    def pass_time(self, seconds: float = 1.0) -> None:
        """What is deleted ends and goes."""
        self.now += timedelta(seconds=seconds)
        for workload in [c for c, worker in self.workers.items() if worker.deleting]:
            del self.workers[workload]

    def train(self) -> None:
        """The gang, if one runs, trains up to its next checkpoint, or ends as it is asked to."""
        if self.trainer is None:
            return
        workload, worker = self.trainer
        worker.tokens = worker.tokens or workload.branch or self._resumed_from()
        self._beat(workload, worker.tokens)
        if workload.attempt in self.facts.drains:
            self.store.put(_keys(workload).state_manifest(worker.tokens), b"{}")
            self.end_training(ExitCode.OK, Cause.DRAINED)
        else:
            self._train_on(workload, worker)

    def _train_on(self, workload: Training, worker: Worker) -> None:
        budget = self.run.spec.budget_tokens
        anneal = self.run.spec.checkpoints.anneal
        if workload.branch is not None:
            assert anneal is not None
            budget = workload.branch + anneal.tokens
            self._save(budget, KEYS.branch(workload.branch))
            worker.tokens = budget
        if worker.tokens < budget:
            worker.tokens += EVERY_TOKENS
            self._save(worker.tokens)
            self._beat(workload, worker.tokens)
        if worker.tokens >= budget:
            self.end_training(ExitCode.OK, Cause.COMPLETED)

    def end_training(self, code: int, result: Cause | None = None, **how: bool) -> None:
        """The gang ends; `result` is what it leaves in `end.json`."""
        assert self.trainer is not None
        workload, worker = self.trainer
        self._exit(worker, code, **how)
        result = result or CAUSES.get(ExitCode(code))
        if result is not None:
            end = End(result=result, tokens=worker.tokens, at=self.now)
            self.store.put(_keys(workload).end(_writer(workload.attempt)), end.to_json())

    def evaluate(self, code: int = ExitCode.OK, **how: bool) -> None:
        """The oldest evaluator that runs ends, with a report if its code is 0."""
        if not self.evaluators:
            return
        workload, worker = min(self.evaluators, key=lambda pair: pair[0].tokens)
        self._exit(worker, code, **how)
        if code == ExitCode.OK:
            manifest = self.facts.evaluated(workload.key)
            own = {"tokens": workload.tokens, "suite": workload.suite}
            report = report_of(manifest).model_copy(update=own)
            self.store.put(KEYS.report(*workload.key), report.to_json())

    def settle(self, reconciles: int = 200) -> Plan:
        """Snapshot, train and evaluate until the run is at rest."""
        for _ in range(reconciles):
            decided = self.reconcile()
            if decided.idle and not decided.intents:
                return decided
            self.pass_time(0 if decided.idle else decided.requeue_after_seconds or 1.0)
            self.train()
            self.evaluate()
        raise AssertionError(f"not at rest after {reconciles} reconciles: {self.run.status}")

    @property
    def facts(self) -> Facts:
        """What the store holds, whatever the operator has seen of it."""
        if self._seen is None or self._seen[0] != self.store.version:
            part = self._witness.part(self.now)
            assert isinstance(part, Known), part
            self._seen = (self.store.version, part.value)
        return self._seen[1]

    @property
    def journal(self) -> Journal:
        return self.facts.journal

    def _resumed_from(self) -> int:
        return max(self.facts.checkpoints, default=0)

    def _save(self, tokens: int, keys: TrainingKeys = KEYS) -> None:
        key = keys.checkpoint_manifest(tokens)
        if key not in self.store.objects:
            self.store.put_if_absent(key, manifest_of(tokens).to_json())

    def _beat(self, workload: Training, tokens: int) -> None:
        beat = heartbeat_of(workload.attempt, tokens, self.now)
        key = _keys(workload).heartbeat(_writer(workload.attempt))
        self.store.put(key, beat.to_json())

    def _exit(self, worker: Worker, code: int, **how: bool) -> None:
        worker.exit_code = int(code)
        worker.phase = Phase.FAILED if code else Phase.SUCCEEDED
        for name, value in how.items():
            setattr(worker, name, value)


def begun(world: World) -> World:
    """`world`, whose first attempt trains now, with one checkpoint made."""
    world.reconcile()
    world.train()
    world.reconcile()
    return world


def applied_again(world: World, uid: str = "run-2", **spec: Any) -> World:
    """The same store, under a run object that was applied anew, a second later."""
    now = world.now + timedelta(seconds=1)
    return World(a_small_run(uid, **spec), NEVER, store=world.store, now=now)


def identity(event: Event) -> tuple[str, str, datetime]:
    return event.reason.value, event.about, event.at


def conditions(run: LCCPRun) -> dict[str, tuple[str, str]]:
    """Status and reason, by type."""
    found = run.status.conditions if run.status else ()
    return {c.type.value: (c.status, c.reason.value) for c in found}


def started(decided: Plan) -> list[Workload]:
    return [intent.workload for intent in decided.intents if isinstance(intent, ApplyWorkload)]


def unknown(why: str = "it does not answer") -> Unknown:
    return Unknown(START, why)


def _keys(workload: Training) -> TrainingKeys:
    return KEYS if workload.branch is None else KEYS.branch(workload.branch)


def _writer(attempt: int) -> str:
    return writer_name(attempt, f"{attempt:08x}")


def _first_uid(workload: Workload) -> str:
    return f"{workload.attempt:08x}" if isinstance(workload, Training) else "pod-0"


def _state(workload: Workload, worker: Worker) -> WorkloadState:
    pod = Pod(
        index=0,
        uid=worker.uid or _first_uid(workload),
        phase=worker.phase,
        exit_code=worker.exit_code,
        disrupted=worker.disrupted,
        out_of_memory=worker.out_of_memory,
    )
    return WorkloadState(worker.phase, (pod,), deleting=worker.deleting)
