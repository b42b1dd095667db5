"""What a process remembers of a run shows whether there is anything to do."""

import math
from contextlib import suppress
from dataclasses import replace
from typing import cast

import a_run
import pytest
from operator_world import KEYS, START, MemoryStore

from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import Conflict, LccpError, NotFound, StoreUnavailable
from lccp_operator.facts import Facts
from lccp_operator.intents import Plan
from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.backend import KubernetesRuns, KubernetesWorkloads
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.lease import NotLeading
from lccp_operator.kubernetes.reconcile import memory as memory_module
from lccp_operator.kubernetes.reconcile.memory import Memories, RunMemory, without_gang
from lccp_operator.kubernetes.reconcile.resync import Resync
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import HeardBeat, Known, Observed, Unknown
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, WorkloadState
from lccp_operator.workloads.training import Training

NO_CLUSTER = cast(Cluster, None)
SILENT = Unknown(START, "silent")
NOTHING = Observed(Known({}), SILENT)


def a_memory(store: MemoryStore) -> RunMemory:
    workloads = cast(KubernetesWorkloads, None)
    observer = StoreObserver(store, KEYS)
    observer.part(START)
    return RunMemory("run-1", "default", workloads, observer)


def test_the_run_object_is_its_own_as_long_as_nobody_else_wrote_it() -> None:
    memory = a_memory(MemoryStore())
    assert not memory.wrote({"metadata": {"resourceVersion": "7"}})

    memory.runs = KubernetesRuns(NO_CLUSTER, "7", LateAnswers(NO_CLUSTER))
    assert memory.wrote({"metadata": {"resourceVersion": "7"}})
    assert not memory.wrote({"metadata": {"resourceVersion": "8"}})


def test_a_run_is_unchanged_until_its_trainer_writes_or_its_resync_is_due() -> None:
    store = MemoryStore()
    memory = a_memory(store)
    assert not memory.is_unchanged()

    memory.resync = Resync(math.inf, 1.0)
    assert memory.is_unchanged()
    store.put(KEYS.heartbeat("a1-00000001"), b"{}")
    assert not memory.is_unchanged()

    memory = a_memory(store)
    memory.resync = Resync(-math.inf, 1.0)
    assert not memory.is_unchanged()


def test_runs_at_rest_are_told_of_a_change_of_their_store_one_after_another() -> None:
    store, memories = MemoryStore(), Memories()
    known, outage = replace(NOTHING, store=Known(Facts())), NOTHING
    for number, idle in enumerate((True, False, True)):
        memory = memories[RunKey("lab", f"run-{number}")] = a_memory(store)
        memory.carried_out(Plan((), LCCPRunStatus(), idle=idle), known, unchanged=idle)
        memory.carried_out(Plan((), LCCPRunStatus()), outage, unchanged=False)
    memories[RunKey("lab", "elsewhere")] = a_memory(MemoryStore())

    told = {key.name: after for key, after in memories.to_be_told(store, 1.0, 5.0, pace=10.0)}

    assert told == {"run-0": 5.0, "run-1": 1.0, "run-2": pytest.approx(5.1)}


@pytest.mark.parametrize(
    ("workloads", "matters"),
    [
        (Known({}), True),
        (Known({Training(1): WorkloadState(Phase.RUNNING)}), False),
        (Known({Training(1): WorkloadState(Phase.FAILED)}), True),
        (Unknown(START, "nobody knows"), False),
    ],
    ids=["gone", "there", "ended", "unknown"],
)
def test_whether_its_namespace_goes_matters_for_a_run_without_a_gang(
    workloads: Known[dict[Workload, WorkloadState]] | Unknown, matters: bool
) -> None:
    new = a_run.run()
    begun = new.model_copy(update={"status": LCCPRunStatus(attempt=1)})

    assert without_gang(begun, workloads) is matters
    assert not without_gang(new, workloads)


def test_the_run_object_is_its_own_also_when_what_was_written_is_let_go() -> None:
    memory = a_memory(MemoryStore())
    memory.runs = KubernetesRuns(NO_CLUSTER, "7", LateAnswers(NO_CLUSTER))
    memory.runs.written = {"metadata": {"resourceVersion": "7"}}

    memory.pack()

    assert memory.runs.written is None
    assert memory.wrote({"metadata": {"resourceVersion": "7"}})


def test_a_status_is_its_own_until_another_process_changes_it_and_once_it_writes_it() -> None:
    memory = a_memory(MemoryStore())
    first, others, own = ({"status": {"attempt": n}} for n in range(3))
    for body, is_own in ((first, True), (first, True), (others, False), (others, False)):
        memory.read_status(body)
        assert memory.status_is_own == is_own

    memory.wrote_status(own)
    memory.read_status(own)
    assert memory.status_is_own


def test_the_last_heartbeat_is_remembered_while_the_store_is_not_followed() -> None:
    memory, heard = a_memory(MemoryStore()), HeardBeat("a1-00000001", START)
    memory.carried_out(Plan((), LCCPRunStatus(), heard=heard), NOTHING, unchanged=False)

    memory.carried_out(Plan((), LCCPRunStatus()), NOTHING, unchanged=False)

    assert memory.heard == heard


def test_that_the_run_began_is_remembered_though_its_status_is_emptied() -> None:
    memory, told = a_memory(MemoryStore()), LCCPRunStatus(start_time=START)
    for status in (told, LCCPRunStatus()):
        memory.carried_out(Plan((), status), NOTHING, unchanged=False)
        assert memory.begun


@pytest.mark.parametrize(
    ("errors", "lost"),
    [
        ((Conflict("first"), NotFound("gone")), True),
        ((Conflict("first"), None), False),
        ((Conflict("first"), StoreUnavailable("away")), False),
        ((Conflict("first"), NotLeading("another")), False),
    ],
)
def test_races_are_lost_again_and_again_only_if_each_reconcile_loses_one(
    errors: tuple[Exception | None, ...], lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "RACE_SECONDS", 0.0)
    memory = a_memory(MemoryStore())
    for error in errors:
        with suppress(LccpError), memory.noting_races():
            if error is not None:
                raise error

    assert memory.loses_races is lost
