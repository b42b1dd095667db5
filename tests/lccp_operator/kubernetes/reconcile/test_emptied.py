"""Runs whose prefix was emptied are reconciled at once, whatever their state."""

import threading
from typing import cast

import pytest
from operator_world import START, MemoryStore

from lccp.contract.errors import InvalidInput, LccpError, StoreUnavailable
from lccp.store.keys import RunKeys
from lccp.store.port import ObjectInfo
from lccp_operator.kubernetes.backend import KubernetesWorkloads
from lccp_operator.kubernetes.reconcile import emptied
from lccp_operator.kubernetes.reconcile.emptied import LOOKS, ROUND_SECONDS, EmptiedPrefixes
from lccp_operator.kubernetes.reconcile.memory import Memories, RunMemory
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import Unknown

TINY, OTHER, THIRD = (RunKey("lab", name) for name in ("tiny", "tiny-2", "tiny-3"))


class Counting(MemoryStore):
    """It counts what is checked, and fails as it is told."""

    failure: LccpError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.checked: list[str] = []

    def stat(self, key: str) -> ObjectInfo | None:
        self.checked.append(key)
        if self.failure is not None:
            raise self.failure
        return super().stat(key)


class World:
    """Runs that were reconciled, of which the store holds some."""

    def __init__(self) -> None:
        self.store = Counting()
        self.health = StoreHealth(self.store, lambda _: None)
        self.memories = Memories()
        self.told: list[RunKey] = []
        stores = {"default": self.health}
        self.prefixes = EmptiedPrefixes(self.memories, stores, self.told.append)

    def reconciled(self, key: RunKey) -> None:
        observer = StoreObserver(self.store, RunKeys(*key))
        observer.part(START)
        workloads = cast(KubernetesWorkloads, None)
        self.memories[key] = RunMemory(f"uid-{key.name}", "default", workloads, observer)

    def hold(self, *keys: RunKey) -> None:
        for key in keys:
            self.store.put(RunKeys(*key).identity, b"{}")
            self.reconciled(key)
        self.store.checked.clear()

    def empty(self, key: RunKey) -> None:
        for info in self.store.list(RunKeys(*key).prefix):
            self.store.delete(info.key)

    def look_a_round(self) -> None:
        for _ in range(LOOKS):
            self.prefixes.look()


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_whose_prefix_was_emptied_is_told_until_it_was_reconciled(world: World) -> None:
    world.hold(TINY, OTHER)
    world.look_a_round()
    assert world.told == []

    world.empty(TINY)
    world.look_a_round()
    assert world.told == [TINY]

    world.reconciled(TINY)
    world.told.clear()
    world.look_a_round()
    assert world.told == []


def test_a_run_that_lost_only_its_identity_is_told(world: World) -> None:
    world.hold(TINY, OTHER)
    world.store.put(RunKeys(*TINY).journal, b"{}")
    world.store.delete(RunKeys(*TINY).identity)

    world.look_a_round()

    assert world.told == [TINY]


def test_every_run_is_checked_once_a_round_however_many_there_are(world: World) -> None:
    keys = [RunKey(f"lab-{number % 7}", f"run-{number}") for number in range(1_000)]
    world.hold(*keys)

    world.look_a_round()

    assert sorted(world.store.checked) == sorted(RunKeys(*key).identity for key in keys)


def test_a_loss_is_told_within_half_a_minute() -> None:
    reconciled_within = 5.0
    assert ROUND_SECONDS + reconciled_within <= 30.0


def test_a_run_of_which_the_store_holds_nothing_yet_is_not_told(world: World) -> None:
    world.reconciled(TINY)

    world.look_a_round()

    assert world.told == []


@pytest.mark.parametrize("failure", [StoreUnavailable("silent"), InvalidInput("refused")])
def test_a_store_that_does_not_answer_is_not_empty(world: World, failure: LccpError) -> None:
    world.hold(TINY)
    world.store.failure = failure

    world.look_a_round()

    assert world.told == []


def test_a_store_is_not_asked_during_its_outage(world: World) -> None:
    world.hold(TINY)
    world.health.outage = Unknown(START, "silent")

    world.look_a_round()

    assert (world.store.checked, world.told) == ([], [])


@pytest.mark.parametrize(("took", "waited"), [(0.0, 5.0), (2.0, 3.0), (7.0, 0.0)])
def test_what_a_look_takes_does_not_delay_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, took: float, waited: float
) -> None:
    clock, waits = [0.0], list[float]()

    def look() -> None:
        clock[0] += took

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return len(waits) > 2

    monkeypatch.setattr(world.prefixes, "look", look)
    monkeypatch.setattr(emptied.time, "monotonic", lambda: clock[0])
    leading = threading.Event()
    leading.set()
    world.prefixes.follow(Stop(), leading)

    assert waits == [5.0, waited, waited]
