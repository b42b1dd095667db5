"""The orders of a run's processes, whoever wrote them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from operator_world import a_small_run

from lccp.api.identity import identity_of, settings_of
from lccp.api.objects.journal import Control
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat
from lccp.contract.errors import StoreRefused
from lccp.store.assignment import (
    attempt_spec,
    identity_spec,
    known_state,
    unknown_fields,
    unknown_probe_fields,
)
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.port import Store

KEYS = RunKeys("default", "tiny")
SPEC = a_small_run().spec


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return FileStore(tmp_path)


def write(store: Store, key: str, document: dict[str, Any]) -> None:
    store.put(key, json.dumps(document).encode())


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    identity = RunIdentity(name="tiny", namespace="default", identity=identity_of(SPEC))
    control = Control(settings=settings_of(SPEC))
    return identity.document(), control.document()


def test_the_spec_of_an_attempt_is_what_the_run_asked_for(store: Store) -> None:
    identity, control = documents()
    write(store, KEYS.identity, identity)
    write(store, KEYS.control(1), control)
    assert attempt_spec(store, KEYS, 1) == SPEC
    assert unknown_fields(store, KEYS, 1) == ()


def test_fields_of_a_newer_operator_are_left_out(store: Store) -> None:
    identity, control = documents()
    identity["identity"]["model"]["ofTomorrow"] = {"a": 1}
    identity["identity"]["evaluation"]["probes"]["probeOfTomorrow"] = {}
    control["settings"]["topology"]["ofTomorrow"] = 3
    control["ofTomorrow"] = [1]
    write(store, KEYS.identity, identity)
    write(store, KEYS.control(1), control)
    assert attempt_spec(store, KEYS, 1) == SPEC
    assert identity_of(identity_spec(store, KEYS)) == identity_of(SPEC)
    assert unknown_probe_fields(store, KEYS) == ("evaluation.probes.probeOfTomorrow",)
    assert unknown_fields(store, KEYS, 1) == (
        "evaluation.probes.probeOfTomorrow",
        "model.ofTomorrow",
        "topology.ofTomorrow",
    )


def test_fields_of_a_newer_operator_are_left_out_of_branches_and_fine_tunings_too(
    store: Store,
) -> None:
    identity, control = documents()
    control["settings"]["training"]["ofTomorrow"] = 3
    write(store, KEYS.identity, identity)
    branch, tuned = KEYS.branch(8_192), KEYS.fine_tuning(8_192)
    write(store, branch.control(1), control)
    sft = {"path": "/records", "globalBatchTokens": 4_096, "lora": {"ofTomorrow": {"a": 1}}}
    write(store, tuned.control(1), control | {"sft": sft | {"ofTomorrow": 3}})

    assert unknown_fields(store, branch, 1) == ("training.ofTomorrow",)
    assert unknown_fields(store, tuned, 1) == (
        "training.ofTomorrow",
        "sft.lora.ofTomorrow",
        "sft.ofTomorrow",
    )


def test_what_is_not_there_is_named_with_who_writes_it(store: Store) -> None:
    """The run is not at fault: the store leads to another place, perhaps for a moment."""
    identity, _ = documents()
    with pytest.raises(StoreRefused, match=r"no default/tiny/control/1.json, which whoever starts"):
        attempt_spec(store, KEYS, 1)
    write(store, KEYS.identity, identity)
    with pytest.raises(StoreRefused, match=r"no default/tiny/control/1.json, which whoever starts"):
        attempt_spec(store, KEYS, 1)
    with pytest.raises(StoreRefused, match=r"no default/other/run.json, which whoever starts"):
        identity_spec(store, RunKeys("default", "other"))


def a_heartbeat(writer: str, *states: int, **more: Any) -> Heartbeat:
    at = datetime(2026, 1, 5, tzinfo=UTC)
    fields = {"phase": "Training", "tokens_total": 1_000} | more
    return Heartbeat(attempt=1, writer=writer, at=at, states=states, **fields)


def told(store: Store, *beats: Heartbeat) -> int:
    for beat in beats:
        store.put(KEYS.heartbeat(beat.writer), beat.to_json())
    return known_state(store, KEYS, 1)


def test_the_state_to_resume_from_is_the_one_that_the_attempt_was_given(store: Store) -> None:
    write(store, KEYS.control(1), Control().document())
    assert known_state(store, KEYS, 1) == 0
    write(store, KEYS.control(1), Control(newest_state=200).document())
    assert known_state(store, KEYS, 1) == 200


def test_or_the_one_that_other_pods_of_the_attempt_told_of(store: Store) -> None:
    """A queue took them away. They may have saved newer ones, or withdrawn a damaged one."""
    write(store, KEYS.control(1), Control(newest_state=200).document())
    loads = a_heartbeat("a1-00000001", phase="Ending")
    assert told(store, loads, a_heartbeat("a10-00000001", 900)) == 200
    assert told(store, a_heartbeat("a1-00000002", 200, 300), loads) == 300
    store.put(KEYS.heartbeat("a1-00000003"), b"{")
    assert told(store, a_heartbeat("a1-00000002", 100, phase="Starting")) == 100
    assert told(store, a_heartbeat("a1-00000002", step=1)) == 0
