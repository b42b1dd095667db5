"""Whatever a store holds of a run, a reconcile makes a plan and reports what it can't read."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operator_world import KEYS, MemoryStore, World, a_small_run, conditions

from lccp.analysis.verdict import judge
from lccp.store.port import Entry
from lccp_operator.intents import WriteConditions

pytestmark = pytest.mark.slow

Objects = Mapping[str, Entry]
Damage = Callable[[bytes, Random], bytes]
ODD: list[Any] = [None, True, -1, 0, 1e300, "", "NaN", [], {}, [None], {"a": 1}]


def _fields(document: Any) -> list[tuple[Any, Any]]:
    """Every place in the document: what holds it, and under which key."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for key, value in pairs:
        found.append((document, key))
        if isinstance(value, dict | list):
            found += _fields(value)
    return found


def cut_short(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


def no_object(data: bytes, chance: Random) -> bytes:
    return chance.choice([b"", b"null", b"[]", b"1", b'"a"', b"{}", b"\xff\x00"])


def of_another_version(data: bytes, chance: Random) -> bytes:
    version = chance.choice([-1, 0, 1, 2, 3, 99, "2", None])
    return json.dumps(json.loads(data) | {"schemaVersion": version, "newField": [1]}).encode()


def with_a_value_changed(data: bytes, chance: Random) -> bytes:
    document = json.loads(data)
    within, key = chance.choice(_fields(document))
    within[key] = chance.choice(ODD)
    return json.dumps(document).encode()


def with_a_number_moved(data: bytes, chance: Random) -> bytes:
    """Still valid, as a rule: it contradicts what the other objects say."""
    document = json.loads(data)
    numbers = [(w, k) for w, k in _fields(document) if type(w[k]) in (int, float)]
    if numbers:
        within, key = chance.choice(numbers)
        within[key] += chance.choice([-1, 1, 8_192, 10**12])
    return json.dumps(document).encode()


def without_a_field(data: bytes, chance: Random) -> bytes:
    document = json.loads(data)
    within, key = chance.choice(_fields(document))
    del within[key]
    return json.dumps(document).encode()


DAMAGES: list[Damage] = [
    cut_short,
    no_object,
    of_another_version,
    with_a_value_changed,
    with_a_number_moved,
    without_a_field,
]


def _under_way(reconciles: int) -> World:
    world = World(a_small_run(), judge)
    for _ in range(reconciles):
        world.reconcile()
        world.pass_time()
        world.train()
        world.evaluate()
    return world


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """The run after its start, in its middle, and at its end."""
    return [_under_way(2), _under_way(4), _under_way(15)]


def _again(world: World, objects: Objects) -> World:
    """The same run under an operator that was started anew, with `objects` in its store."""
    store = MemoryStore()
    store.objects, store.version = dict(objects), world.store.version
    return World(world.run, judge, store, deepcopy(world.workers), now=world.now)


def test_the_worlds_hold_objects_of_every_kind(worlds: list[World]) -> None:
    keys = {key.removeprefix(KEYS.prefix).partition("/")[0] for key in worlds[-1].store.objects}
    assert keys >= {"run.json", "journal.json", "checkpoints", "training", "evaluations"}


@pytest.mark.long
@settings(max_examples=100, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_a_plan_follows_whatever_the_store_holds(worlds: list[World], seed: int) -> None:
    chance = Random(seed)
    world = chance.choice(worlds)
    objects = dict(world.store.objects)
    for key in chance.sample(sorted(objects), chance.randint(1, 3)):
        damage = chance.choice(DAMAGES)
        objects[key] = Entry(damage(objects[key].data, chance), f"{10**6}")
    damaged = _again(world, objects)

    damaged.reconcile()
    damaged.pass_time(700)
    damaged.reconcile()

    assert damaged.run.status is not None
    assert damaged.run.status.conditions


@pytest.mark.parametrize("damage", [b"{", b'{"schemaVersion": 99}'], ids=["cut short", "newer"])
def test_what_cannot_be_read_is_named_unless_it_is_written_anew(
    worlds: list[World], damage: bytes
) -> None:
    world = worlds[-1]
    unsaid = set()
    for key, entry in world.store.objects.items():
        changed = _again(world, {**world.store.objects, key: Entry(damage, f"{entry.etag}0")})
        changed.reconcile()
        assert changed.run.status is not None
        told = " ".join(one.message for one in changed.run.status.conditions)
        assert key not in told or conditions(changed.run)["Degraded"][0] == "True"
        if key not in told:
            unsaid.add(key)
    assert unsaid == {KEYS.conditions, KEYS.verdict}


@pytest.mark.parametrize("key", [KEYS.identity, KEYS.journal])
def test_without_identity_or_journal_nothing_is_done(worlds: list[World], key: str) -> None:
    world = worlds[0]
    damaged = _again(world, {**world.store.objects, key: Entry(b"{", "99")})

    decided = damaged.reconcile()

    assert conditions(damaged.run)["Degraded"] == ("True", "StoredObjectDamaged")
    assert all(isinstance(intent, WriteConditions) for intent in decided.intents)
