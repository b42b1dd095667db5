"""Runs whose prefix was emptied are reconciled at once, whatever their state."""

import threading
from typing import cast

import pytest
from operator_world import START, MemoryStore

from lccp.contract.errors import InvalidInput, LccpError, StoreUnavailable
from lccp.store.keys import RunKeys
from lccp.store.port import Level, ObjectInfo
from lccp_operator.kubernetes.backend import KubernetesWorkloads
from lccp_operator.kubernetes.reconcile import emptied
from lccp_operator.kubernetes.reconcile.emptied import EmptiedPrefixes
from lccp_operator.kubernetes.reconcile.memory import Memories, Memory
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import StoreObserver
from lccp_operator.observed import Unknown

TINY, OTHER, THIRD = (RunKey("lab", name) for name in ("tiny", "tiny-2", "tiny-3"))


class Counting(MemoryStore):
    """It counts what is listed, and fails as it is told."""

    failure: LccpError | None = None

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[str] = []

    def level(self, prefix: str) -> Level:
        self.levels.append(prefix)
        if self.failure is not None:
            raise self.failure
        return super().level(prefix)

    def stat(self, key: str) -> ObjectInfo | None:
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
        self.memories[key] = Memory(f"uid-{key.name}", "default", workloads, observer)

    def hold(self, *keys: RunKey) -> None:
        for key in keys:
            self.store.put(RunKeys(*key).identity, b"{}")
            self.reconciled(key)
        self.store.levels.clear()

    def empty(self, key: RunKey) -> None:
        for info in self.store.list(RunKeys(*key).prefix):
            self.store.delete(info.key)


@pytest.fixture
def world() -> World:
    return World()


def test_a_run_whose_prefix_was_emptied_is_told_by_the_listing_until_it_was_reconciled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptied, "ASKED", 0)
    world.hold(TINY, OTHER)
    world.prefixes.look()
    assert world.told == []

    world.empty(TINY)
    world.prefixes.look()
    assert set(world.told) == {TINY}

    world.reconciled(TINY)
    world.told.clear()
    world.prefixes.look()
    assert world.told == []


def test_a_server_that_keeps_folders_is_asked_for_some_runs_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptied, "ASKED", 2)
    world.hold(TINY, OTHER, THIRD)
    for key in (TINY, OTHER, THIRD):
        world.store.delete(RunKeys(*key).identity)
        world.store.put(RunKeys(*key).journal, b"{}")

    for expected in ([TINY, OTHER], [THIRD], [TINY, OTHER]):
        world.told.clear()
        world.prefixes.look()
        assert world.told == expected


def test_a_run_of_which_the_store_holds_nothing_yet_is_not_told(world: World) -> None:
    world.reconciled(TINY)

    world.prefixes.look()

    assert world.told == []


def test_all_runs_of_a_namespace_take_one_listing(world: World) -> None:
    world.hold(*(RunKey("lab", f"run-{number}") for number in range(50)), RunKey("other", "run"))

    assert world.prefixes.look() == 2
    assert world.store.levels == ["lab/", "other/"]


@pytest.mark.parametrize("failure", [StoreUnavailable("silent"), InvalidInput("refused")])
def test_a_store_that_does_not_answer_is_not_empty(world: World, failure: LccpError) -> None:
    world.hold(TINY)
    world.store.failure = failure

    world.prefixes.look()

    assert world.told == []


def test_a_store_is_not_asked_during_its_outage(world: World) -> None:
    world.hold(TINY)
    world.health.outage = Unknown(START, "silent")

    world.prefixes.look()

    assert (world.store.levels, world.told) == ([], [])


def test_many_namespaces_are_looked_at_more_seldom(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptied, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(world.prefixes, "look", lambda: 1_000)
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return len(waits) > 2

    leading = threading.Event()
    leading.set()
    world.prefixes.follow(Stop(), leading)

    assert waits == [0.0, 100.0, 100.0]
