"""The embedded engine: observe, plan, apply, with processes of this machine instead of Jobs."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from lccp.api.conditions import ConditionType, Reason
from lccp.api.invocation import StoreConfig
from lccp.api.objects.verdict import Verdict
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, InvalidInput, StoreRefused, StoreUnavailable
from lccp.model_config import read_model_config
from lccp.signals import SignalEvent
from lccp.store.keys import RunKeys
from lccp.store.objects import read_or_none
from lccp.store.open import open_store, probe
from lccp_operator.apply import Backend, apply
from lccp_operator.embedded import lock
from lccp_operator.embedded.processes import Processes, ProcessSettings, Programs, check_gang
from lccp_operator.embedded.run_object import RunObject
from lccp_operator.embedded.snapshot import OnSnapshot, Outcome, RunSnapshot, ignore
from lccp_operator.facts import Facts
from lccp_operator.intents import Plan
from lccp_operator.observe import StoreObserver, unreachable
from lccp_operator.observed import Known, Observed, Unknown
from lccp_operator.plan import ended, plan
from lccp_operator.plan.deletion import finalizer_wanted

POLL_SECONDS = 0.3
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EmbeddedEngine:
    """Works on one run until it is at rest or interrupted.

    `run` is as in its manifest. Its relative paths start from `base_directory`; a relative
    `file://` store starts from the working directory.
    """

    def __init__(
        self,
        run: LCCPRun,
        store: StoreConfig,
        base_directory: Path,
        on_snapshot: OnSnapshot = ignore,
        programs: Programs | None = None,
    ) -> None:
        check_gang(run)  # refused before anything starts
        self._model_config = _model_config(base_directory / run.spec.model.source)
        self._object = RunObject.applied(run)
        self._config = _absolute(store)
        self._base_directory = base_directory.absolute()
        self._on_snapshot = on_snapshot
        self._programs = programs or Programs()
        self._store = open_store(self._config)
        self._keys = RunKeys(run.metadata.namespace, run.metadata.name)
        self._observer = StoreObserver(self._store, self._keys)
        self._facts = Facts()
        self._verdict: Verdict | None = None
        self._interrupts = 0
        self._wake = SignalEvent()
        self.directory = _directory(self._config) / self._keys.prefix

    def run(self) -> Outcome:
        """Work until the run is at rest, or until SIGINT, SIGTERM or, unless ignored, SIGHUP.

        The first signal lets the trainer save its state; a second one ends everything at once,
        except SIGHUP, which one closed terminal may send twice.

        Raises:
            InvalidInput: the run or the store is wrong, or another engine works on the run.
            StoreUnavailable: the store does not answer at the start.
        """
        with lock.held(self.directory / "engine.lock") as descriptor, self._signals():
            self._facts = self._first_facts()
            self._verdict = self._stored_verdict()
            settings = ProcessSettings(
                self._config, self._base_directory, self.directory, self._programs, descriptor
            )
            processes = Processes(settings)
            self._check(processes)
            probe(self._store, self._keys.prefix)
            try:
                self._work(processes)
            finally:
                self._end(processes)
        return self._outcome()

    def _check(self, processes: Processes) -> None:
        """Raise InvalidInput if the run is refused, before anything is written to the store."""
        now = datetime.now(UTC)
        _raise_if_refused(plan(self._object.current, self._observed(processes, now), now))

    def _first_facts(self) -> Facts:
        part = self._observer.part(datetime.now(UTC))
        if isinstance(part, Known):
            return part.value
        silent = part.reason is Reason.STORE_UNREACHABLE
        raise (StoreUnavailable if silent else InvalidInput)(part.why)

    def _stored_verdict(self) -> Verdict | None:
        """The verdict of an earlier engine; a damaged one is recreated."""
        with suppress(InvalidInput):
            return read_or_none(self._store, self._keys.verdict, Verdict)
        return None

    def interrupt(self) -> None:
        """End soon, as after SIGINT. May be called from another thread or a signal handler."""
        self._interrupts += 1
        self._wake.set()

    def _work(self, processes: Processes) -> None:
        while not self._interrupts:
            decided = self._step(processes)
            self._show()
            if decided.idle:
                return
            self._wake.wait(POLL_SECONDS)

    def _step(self, processes: Processes) -> Plan:
        run, now = self._object.current, datetime.now(UTC)
        observed = self._observed(processes, now)
        decided = plan(run, observed, now)
        backend = Backend(self._store, processes, self._object)
        try:
            apply(decided, run, backend)
        except Conflict:
            return Plan((), run.status or LCCPRunStatus())
        except (StoreRefused, StoreUnavailable) as error:
            why = unreachable(error)
            away = replace(observed, store=Unknown(now, why, Reason.STORE_UNREACHABLE))
            held = plan(run, away, now)
            self._object.write_status(run, held.status)
            return held
        _raise_if_refused(decided)
        self._verdict = decided.verdict or self._verdict
        return decided

    def _observed(self, processes: Processes, now: datetime) -> Observed:
        workloads = Known(processes.states())
        store = self._observer.part(now)
        if isinstance(store, Known):
            self._facts = store.value
        return Observed(
            workloads,
            store,
            finalizer=finalizer_wanted(self._object.current),
            model_config=self._model_config,
            by_command=True,
        )

    def _end(self, processes: Processes) -> None:
        """End all processes, the trainer with its grace period, and record how they ended."""
        processes.terminate_all()
        while processes.running:
            if self._interrupts > 1:
                processes.kill_all()
            processes.states()
            with suppress(OSError, SystemExit):  # nobody reads the view any more
                self._show(ending=True)
            time.sleep(POLL_SECONDS / 3)
        processes.kill_all()  # what forks evaluators waits for the next one
        if self._interrupts:
            self._record_ends(processes)

    def _record_ends(self, processes: Processes) -> None:
        run, now = self._object.current, datetime.now(UTC)
        intents = ended(run, self._observed(processes, now), now)
        result = Plan(intents, run.status or LCCPRunStatus())
        try:
            apply(result, run, Backend(self._store, processes, self._object))
        except (Conflict, StoreRefused, StoreUnavailable):
            return  # the next engine sees the same ends

    def _show(self, ending: bool = False) -> None:
        snapshot = RunSnapshot(
            at=datetime.now(UTC),
            run=self._object.current,
            facts=self._facts,
            verdict=self._verdict,
            events=self._object.take_events(),
            ending=ending,
        )
        self._on_snapshot(snapshot)

    def _outcome(self) -> Outcome:
        return Outcome(self._object.state, self._object.current, self._verdict, self.directory)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Handle the signals that request an end; only a main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            if number != signal.SIGHUP or not self._interrupts:
                self.interrupt()

        hangs_up = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        heard = (*SIGNALS, signal.SIGHUP) if hangs_up else SIGNALS
        before = {number: signal.signal(number, handle) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def run(
    run: LCCPRun, store: StoreConfig, base_directory: Path, on_snapshot: OnSnapshot = ignore
) -> Outcome:
    """Work on `run` on this machine until it is at rest or interrupted; see EmbeddedEngine."""
    return EmbeddedEngine(run, store, base_directory, on_snapshot).run()


def _model_config(directory: Path) -> dict[str, Any] | None:
    """The model's config.json; None if it is invalid, which the trainer then reports."""
    try:
        return read_model_config(directory)
    except InvalidInput:
        return None


def _absolute(store: StoreConfig) -> StoreConfig:
    scheme, _, path = store.url.partition("://")
    if scheme != "file" or not path:
        return store
    return store.model_copy(update={"url": f"file://{Path(path).absolute()}"})


def _directory(store: StoreConfig) -> Path:
    """The folder of logs and lock: beside the objects if they are files, else below ./runs."""
    scheme, _, path = store.url.partition("://")
    return Path(path) if scheme == "file" else Path("runs").absolute()


def _raise_if_refused(decided: Plan) -> None:
    for condition in decided.status.conditions:
        if condition.type is ConditionType.ACCEPTED and condition.status == "False":
            raise InvalidInput(condition.message)
