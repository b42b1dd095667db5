"""Carrying out a plan: in order, and not beyond a lost race."""

from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    KEYS,
    START,
    MemoryStore,
    World,
    a_small_run,
    saturating_at,
)

from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Control, Journal, Pinned
from lccp.api.objects.verdict import Verdict
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict
from lccp_operator.apply import Backend, apply
from lccp_operator.intents import (
    ApplyWorkload,
    ClaimRun,
    DeleteRun,
    DeleteWorkload,
    Event,
    EventReason,
    Intent,
    Plan,
    RecordJournal,
    SetFinalizer,
    TellState,
    WriteConditions,
    WriteControl,
    WriteVerdict,
)
from lccp_operator.workloads.state import SavedState
from lccp_operator.workloads.training import Training

RUN = a_small_run()
STATUS = LCCPRunStatus(attempt=7)
EVENT = Event("Normal", EventReason.ACCEPTED, "the run is accepted", START)


class Recorder(MemoryStore):
    """A store, workloads and runs that record what is done to them."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def put(self, key: str, data: bytes) -> str:
        self.done.append(key.removeprefix(KEYS.prefix))
        return super().put(key, data)

    def apply(self, run: object, workload: object, pinned: object) -> None:
        self.done.append(f"apply {workload}")

    def delete(self, *what: object) -> None:
        self.done.append("delete run" if len(what) == 1 else f"delete {what[1]}")

    def tell_state(self, run: object, workload: object, state: SavedState) -> None:
        self.done.append(f"tell {state.tokens} of {workload}, of {state.at:%T}")

    def write_status(self, run: object, status: object) -> None:
        self.done.append("status")

    def post(self, run: object, event: Event) -> None:
        self.done.append(f"event {event.reason}")

    def set_finalizer(self, run: object, present: bool) -> None:
        self.done.append(f"finalizer {present}")


def carry_out(plan: Plan, recorder: Recorder, **more: Any) -> list[str]:
    apply(plan, RUN, Backend(recorder, recorder, recorder, **more))
    return recorder.done


def a_plan(*intents: Intent) -> Plan:
    return Plan(intents, STATUS, events=(EVENT,))


def test_the_journal_comes_before_what_it_decides_and_the_status_after(verdict: Verdict) -> None:
    shuffled = (
        DeleteRun(),
        WriteVerdict(verdict),
        ApplyWorkload(Training(2), Pinned()),
        WriteControl(1, Control(request="Drain")),
        SetFinalizer(True),
        DeleteWorkload(Training(1)),
        TellState(Training(2), 8),
        ClaimRun(STATUS),
        RecordJournal(Journal(), None),
        WriteConditions(RunConditions(conditions=())),
    )

    recorder = Recorder()
    recorder.put(KEYS.state_manifest(8), b"")
    recorder.done.clear()

    assert carry_out(a_plan(*shuffled), recorder) == [
        "status",
        "finalizer True",
        "journal.json",
        "control/1.json",
        f"delete {Training(1)}",
        "conditions.json",
        f"apply {Training(2)}",
        f"tell 8 of {Training(2)}, of 09:00:01",
        "analysis/verdict.json",
        "status",
        "event Accepted",
        "delete run",
    ]


@pytest.mark.parametrize("manifest", [KEYS.state_manifest(8), KEYS.checkpoint_manifest(8)])
def test_a_state_is_told_with_the_time_of_its_manifest(manifest: str) -> None:
    """However long ago an earlier attempt saved it, and whatever its trainer counts."""
    tell, recorder = a_plan(TellState(Training(2), 8)), Recorder()
    assert carry_out(tell, recorder) == ["status", "event Accepted"]

    recorder.put(manifest, b"")
    recorder.done.clear()
    assert carry_out(tell, recorder)[0] == f"tell 8 of {Training(2)}, of 09:00:01"


def test_the_finalizer_goes_last() -> None:
    done = carry_out(a_plan(SetFinalizer(False), DeleteWorkload(Training(1))), Recorder())

    assert done[-1] == "finalizer False"


def test_an_unchanged_status_is_not_written() -> None:
    recorder = Recorder()
    run = RUN.model_copy(update={"status": STATUS})

    apply(Plan((), STATUS), run, Backend(recorder, recorder, recorder))

    assert recorder.done == []


def test_a_lost_race_for_the_journal_leaves_everything_else_undone() -> None:
    recorder = Recorder()
    recorder.put(KEYS.journal, b"another leader's")
    recorder.done.clear()
    intents = (RecordJournal(Journal(), "stale"), ApplyWorkload(Training(1), Pinned()))

    with pytest.raises(Conflict):
        carry_out(a_plan(*intents), recorder)

    assert recorder.done == []
    assert recorder.get(KEYS.journal) == b"another leader's"


def test_what_was_written_to_the_store_is_told_with_its_version(verdict: Verdict) -> None:
    recorder, told = Recorder(), list[tuple[str, object, str]]()
    journal, drain = Journal(), WriteControl(1, Control(request="Drain"))
    plan = a_plan(RecordJournal(journal, None), drain, WriteVerdict(verdict))

    carry_out(plan, recorder, remember=lambda key, value, etag: told.append((key, value, etag)))

    written = {KEYS.journal: journal, KEYS.control(1): drain.control, KEYS.verdict: verdict}
    assert told == [(key, of, recorder.get_entry(key).etag) for key, of in written.items()]


def test_whoever_may_no_longer_write_writes_nothing() -> None:
    recorder = Recorder()

    def lost() -> None:
        raise Conflict("the lease was lost")

    with pytest.raises(Conflict, match="lease"):
        carry_out(a_plan(ApplyWorkload(Training(1), Pinned())), recorder, guard=lost)

    assert recorder.done == []


def test_a_lost_race_for_the_run_leaves_finalizer_and_store_as_they_are() -> None:
    class Second(Recorder):
        def write_status(self, run: object, status: object) -> None:
            raise Conflict("another installation has written it")

    second = Second()
    with pytest.raises(Conflict):
        carry_out(
            a_plan(RecordJournal(Journal(), None), SetFinalizer(True), ClaimRun(STATUS)), second
        )

    assert second.done == []


@pytest.fixture
def verdict() -> Verdict:
    world = World(RUN, saturating_at(BUDGET_TOKENS))
    world.reconcile()
    world.train()
    world.reconcile()
    world.evaluate()
    found = world.plan().verdict
    assert found is not None
    return found
