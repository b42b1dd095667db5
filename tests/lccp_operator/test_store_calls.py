"""What a run costs its store: each object is written once for each change."""

from collections import Counter
from dataclasses import replace

from operator_world import KEYS, NEVER, START, MemoryStore, World, a_small_run

from lccp_operator.apply import Backend, apply
from lccp_operator.kubernetes.instrumented_store import InstrumentedStore
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import Known
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training


class Writes(MemoryStore):
    """It notes the names of what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def put(self, key: str, data: bytes) -> str:
        self.written.append(key.removeprefix(KEYS.prefix))
        return super().put(key, data)


class Measured:
    """A run, and the calls of each of its reconciles."""

    def __init__(self) -> None:
        self.store = Writes()
        self.calls: Counter[str] = Counter()
        self.world = World(a_small_run(), NEVER, self.store)
        self.measured = InstrumentedStore(
            self.store, lambda method, *_: self.calls.update([method])
        )
        self.world.observer = StoreObserver(self.measured, KEYS)

    def reconcile(self, *gang: WorkloadState) -> tuple[dict[str, int], list[str]]:
        self.calls.clear()
        self.store.written.clear()
        world, remember = self.world, self.world.observer.remember
        seen = replace(world.observed(), workloads=Known({Training(1): state for state in gang}))
        apply(world.plan(seen), world.run, Backend(self.measured, world, world, remember=remember))
        return dict(self.calls), list(self.store.written)


def a_gang(phase: Phase) -> WorkloadState:
    return WorkloadState(phase, (Pod(0, "pod-0", phase),), started_at=START)


def test_a_new_run_takes_ten_calls_until_it_runs() -> None:
    run = Measured()
    waits, runs = a_gang(Phase.PENDING), a_gang(Phase.RUNNING)

    assert run.reconcile() == (
        {"list": 1, "put": 3},
        ["run.json", "journal.json", "control/1.json"],
    )
    assert run.reconcile(waits) == ({"list": 1, "put": 1}, ["conditions.json"])
    assert run.reconcile(runs) == ({"list": 1, "put": 2}, ["journal.json", "conditions.json"])
    assert run.reconcile(runs) == ({"list": 1}, [])
