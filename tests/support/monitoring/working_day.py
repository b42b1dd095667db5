"""Six hours of an installation, as its exporters would have shown it every three minutes.

Numbers of runs are those of `a_run`; those of an operator and of GPUs are made up.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import a_branch
import a_run
from past import Page
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from lccp.api.causes import Cause
from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.objects.journal import AttemptRecord, Journal
from lccp.api.objects.training import Heartbeat, Ledger
from lccp.api.objects.verdict import Verdict
from lccp.api.status import LCCPRunStatus
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter import exposition
from lccp_exporter.refresh import Runs, StoreWatch
from lccp_operator.kubernetes.metrics import Metrics
from lccp_operator.kubernetes.run_states import RunStates
from lccp_operator.kubernetes.workloads.seen import RunKey

LENGTH, STEP = timedelta(hours=6), timedelta(minutes=3)
GPUS = ("GPU_UTIL", "FB_USED", "POWER_USAGE", "GPU_TEMP")
HISTORY = a_run.history()
BRANCHED = {a_run.CHECKPOINTS[2], a_run.CHECKPOINTS[5]}
REPORTS = {report.tokens: report for report in a_run.reports()}


@cache
def verdict_at(tokens: int) -> Verdict:
    return a_run.verdict(report for at, report in REPORTS.items() if at <= tokens)


@dataclass
class Course:
    """A run that trains evenly; at its end it is stopped, or goes on."""

    keys: RunKeys
    begins: datetime
    ends: datetime
    tokens: int
    stops: bool = False
    first_attempt_hung: bool = False
    seen: int = -1
    """Tokens of the newest checkpoint so far."""
    ended: bool = False

    def advance(self, store: FileStore, at: datetime) -> None:
        """Write what is new at that time."""
        if at < self.begins:
            return
        self.ended = self.stops and at >= self.ends
        share = min(1.0, (at - self.begins) / (self.ends - self.begins))
        tokens = int(share * self.tokens)
        new = [one for one in a_run.CHECKPOINTS if self.seen < one <= tokens]
        self.seen = new[-1] if new else self.seen
        stored = a_run.StoredRun(
            tuple(REPORTS[one] for one in new),
            (),
            verdict_at(self.seen) if new else None,
            self._heartbeat(tokens, min(at, self.ends)),
            self._journal(at),
        )
        a_run.put(store, stored, self.keys)
        for one in BRANCHED.intersection(new):
            a_branch.put(store, one, self.keys)

    def _heartbeat(self, tokens: int, at: datetime) -> Heartbeat:
        step = HISTORY[min(max(tokens // a_run.STEP_TOKENS, 1), len(HISTORY)) - 1]
        seconds, wave = (at - self.begins).total_seconds(), math.sin(tokens / 90_000)
        return a_run.heartbeat(tokens, at).model_copy(
            update={
                "attempt": 1 + self.first_attempt_hung,
                "loss": step.loss,
                "gradient_norm": step.gradient_norm,
                "learning_rate": step.learning_rate,
                "tokens_per_second": step.tokens_per_second,
                "mfu": 0.4 + 0.01 * wave,
                "loss_by_source": {"long": step.loss + 0.1, "short": step.loss - 0.4},
                "spikes_total": tokens // 400_000,
                "states": tuple(one for one in a_run.CHECKPOINTS if one <= tokens),
                "ledger": Ledger(
                    starting=40.0, productive=0.9 * seconds, saving=0.06 * seconds, lost=120.0
                ),
            }
        )

    def _journal(self, at: datetime) -> Journal:
        journal = a_run.journal(stopped=self.ended)
        outcomes = dict(list(journal.evaluations.items())[: len(self._evaluated())])
        attempts = (journal.attempts[0].model_copy(update={"started_at": self.begins}),)
        if self.first_attempt_hung:
            first = AttemptRecord(
                number=1,
                started_at=self.begins - LENGTH / 3,
                ended_at=self.begins - STEP,
                cause=Cause.HANG,
            )
            attempts = (first, AttemptRecord(number=2, started_at=self.begins))
        return journal.model_copy(
            update={
                "evaluations": outcomes,
                "attempts": attempts,
                "finished_at": self.ends if self.ended else None,
            }
        )

    def _evaluated(self) -> list[int]:
        return [tokens for tokens in a_run.CHECKPOINTS if tokens <= self.seen]


class Control:
    """What an operator and a DCGM exporter tell; seconds since 1970 are those of `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self.operator = Metrics(self.registry, lambda: 1, clock)
        self.operator.leading.set(1)
        self._states = RunStates(lambda: True)
        self.registry.register(self._states)
        self._note(RunKey("team", "waiting"), ConditionType.TRAINING, "False", Reason.QUEUED)
        labels = ("namespace", "pod", "Hostname", "gpu")
        self.gpus = [Gauge(f"DCGM_FI_DEV_{n}", n, labels, registry=self.registry) for n in GPUS]

    def notice(self, run: Course) -> None:
        """The run object says what the course does; before it begins there is none."""
        if run.seen >= 0:
            done = (ConditionType.SUCCEEDED, "True", Reason.SATURATED)
            going_on = (ConditionType.TRAINING, "True", Reason.RUNNING)
            self._note(
                RunKey(run.keys.namespace, run.keys.name), *(done if run.ended else going_on)
            )

    def _note(self, run: RunKey, kind: ConditionType, status: str, why: Reason) -> None:
        said = Condition(type=kind, status=status, reason=why, last_transition_time=a_run.START)
        self._states.note(run, LCCPRunStatus(conditions=(said,)), None)

    def page(self, step: int) -> str:
        wave = math.sin(step / 5)
        for number in range(20):
            self.operator.reconciled("done", 0.01 + 0.002 * number + 0.005 * wave)
            self.operator.api_called("GET", "200", 0.004 + 0.001 * number)
            self.operator.api_called("PATCH", "200", 0.008 + 0.002 * number)
            self.operator.store_called("get", "answered", 0.002 + 0.001 * number)
            self.operator.store_called("list", "answered", 0.02 + 0.004 * number)
        if step % 50 == 30:
            self.operator.reconciled("error", 0.2)
        for gauge, (level, by) in zip(
            self.gpus, ((93, 5), (61_000, 800), (610, 40), (66, 3)), strict=True
        ):
            for gpu in range(2):
                one = gauge.labels("default", "tiny-train-a2-0-x7k2p", "node-1", str(gpu))
                one.set(level + by * wave + gpu)
        return generate_latest(self.registry).decode()


def pages(folder: Path, until: datetime) -> Iterator[Page]:
    """The pages of six hours until then."""
    clock = [until - LENGTH]
    store = FileStore(folder / "runs")
    watch = StoreWatch("default", store, timedelta(days=1), now=lambda: clock[0])
    begin, end = a_run.CHECKPOINTS[8], a_run.CHECKPOINTS[-1]
    runs = (
        Course(a_run.KEYS, clock[0], until, begin, first_attempt_hung=True),
        Course(RunKeys("team", "done"), clock[0], until - LENGTH / 4, end, stops=True),
        Course(RunKeys("team", "new"), until - LENGTH / 6, until + LENGTH, begin),
    )
    control = Control(lambda: clock[0].timestamp())
    store.put("default/none", b"")
    for step in range(LENGTH // STEP + 1):
        for run in runs:
            run.advance(store, clock[0])
            control.notice(run)
        watch.refresh()
        shown = Runs([watch])
        text = b"".join(exposition.page([run.lines for run in shown.all()], shown.stores()))
        yield Page(clock[0].timestamp(), "lccp-exporter:9464", text.decode())
        yield Page(clock[0].timestamp(), "lccp-operator:8080", control.page(step))
        clock[0] += STEP
