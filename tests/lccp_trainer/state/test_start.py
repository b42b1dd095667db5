"""Where an attempt begins."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import a_run
import pytest
from planned import SMALL, manifest
from saved import KEYS, a_point, a_saver

from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import InvalidInput, LccpError, StoreRefused
from lccp.cost.architecture import Architecture
from lccp.cost.scratch import scratch_bytes
from lccp.store.file import FileStore
from lccp.store.keys import TrainingKeys
from lccp_trainer.state.progress import Point, StateProgress
from lccp_trainer.state.publish import complete_tokens
from lccp_trainer.state.resume import Resume, Resumed
from lccp_trainer.state.start import Start, check_room

BRANCH = KEYS.branch(200)
PARAMETERS = Architecture.from_config(SMALL).parameters
STATE_KEY = r"default/run/state/000000000000200/manifest\.json"


class States(Resume):
    """Finds states whose budget was 1,000 where it is told that they are."""

    def newest(self, candidates: Iterable[int]) -> tuple[Resumed | None, set[int]]:
        own = self.engine.get(self.keys, set())
        found = [tokens for tokens in candidates if tokens in own]
        damaged = set(candidates) - set(found)
        if not found:
            return None, damaged
        told = StateProgress(optimizer_steps=2, budget=1_000, with_checkpoint=True)
        return Resumed(a_point(max(found)), told), damaged


def start(
    folder: Path,
    checkpoints: Iterable[int] = (),
    states: Iterable[int] = (),
    keys: TrainingKeys = KEYS,
    there: dict[TrainingKeys, set[int]] | None = None,
    lost_state: str = "Fail",
    extendable: bool = True,
) -> Start:
    spec = a_run.run(checkpoints={"everyTokens": 100, "lostState": lost_state}).spec
    stream: Any = SimpleNamespace(resumed=lambda position: position, start=lambda: None)
    training = spec.trained.model_copy(update={"tokens": 1_000})
    spec = spec.model_copy(
        update={
            "training": training,
            "evaluation": spec.evaluation.model_copy(update={"baseline": False}),
        }
    )
    task: Any = SimpleNamespace(spec=spec, extendable=extendable, stream=stream)
    (folder / "store").mkdir(parents=True, exist_ok=True)
    saver = a_saver(None, FileStore(folder / "store"), folder)
    saver.checkpoints, saver.states = set(checkpoints), set(states)
    return Start(task, saver, States(saver.publisher.store, keys, there or {}, 0, None), None)


def test_checkpoints_without_any_state_are_no_reason_to_begin_anew_unasked(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"^checkpoints\.lostState: .* trained 200 tokens, .* Restart"
    ):
        start(tmp_path, {0, 200})()
    assert start(tmp_path, {0, 200}, lost_state="Restart")().tokens == 0
    assert start(tmp_path, {0})().tokens == 0
    assert start(tmp_path, {0, 200}, extendable=False)().tokens == 0


def with_manifests(first: Start, *tokens: int) -> list[int]:
    """Begins where states of these tokens have manifests; tokens of those that have one then."""
    store = first.saver.publisher.store
    for number in tokens:
        store.put(KEYS.state_manifest(number), b"{}")
    first()
    return complete_tokens(store, KEYS.states)


def test_damaged_states_do_not_count_as_the_newest_ones_that_are_kept(tmp_path: Path) -> None:
    passed_over = start(tmp_path / "a", {100}, {100, 300}, there={KEYS: {100}})
    assert with_manifests(passed_over, 100, 300) == [100]
    anew = start(tmp_path / "b", {200}, {100, 300}, lost_state="Restart")
    assert with_manifests(anew, 100, 300) == []


@pytest.mark.parametrize("checkpoints", [{200}, {0}, set()])
def test_damaged_states_stay_where_only_they_can_help(
    tmp_path: Path, checkpoints: set[int]
) -> None:
    first = start(tmp_path, checkpoints, {300})
    with pytest.raises(InvalidInput, match="restore the state"):
        with_manifests(first, 300)
    assert complete_tokens(first.saver.publisher.store, KEYS.states) == [300]


@pytest.mark.parametrize("older", [{100}, set()], ids=["an older one", "none"])
def test_without_the_newest_state_that_there_was_nothing_is_trained_again_unasked(
    tmp_path: Path, older: set[int]
) -> None:
    """It was listed, or not even that; the store may lead to another place for a moment."""
    for listed in ({300}, set()):
        first = start(tmp_path, {100}, older | listed, there={KEYS: older})
        with pytest.raises(StoreRefused, match=r": the newest state .* of 100 .* one of 300: no"):
            with_manifests(replace(first, known_state=300), 100)
    restarts = start(tmp_path, {100}, older, there={KEYS: older}, lost_state="Restart")
    assert replace(restarts, known_state=300)().tokens == max(older, default=0)


@pytest.mark.parametrize("known", [200, 300])
def test_a_state_that_is_there_is_enough_though_it_is_newer_or_damaged(
    tmp_path: Path, known: int
) -> None:
    newer = start(tmp_path / "a", {300}, {300}, there={KEYS: {300}})
    assert replace(newer, known_state=known)().tokens == 300
    damaged = start(tmp_path / "b", {100}, {100, 300}, there={KEYS: {100}})
    assert with_manifests(replace(damaged, known_state=known), 100, 300) == [100]


def begun(folder: Path, **more: Any) -> Point:
    return start(folder, keys=BRANCH, extendable=False, **more)()


def test_a_branch_begins_with_the_state_of_the_run(tmp_path: Path) -> None:
    assert begun(tmp_path, there={KEYS: {200}}) == a_point(200)


def test_a_branch_goes_on_with_its_own_newest_state(tmp_path: Path) -> None:
    there = {KEYS: {200}, BRANCH: {300}}
    first = start(tmp_path, {300}, {300}, BRANCH, there, extendable=False)
    assert first().tokens == 300


def test_a_branch_whose_own_states_are_damaged_begins_with_that_of_the_run(tmp_path: Path) -> None:
    first = start(tmp_path, (), {300}, BRANCH, {KEYS: {200}}, extendable=False)
    assert first().tokens == 200
    assert first.saver.states == set()


def test_a_branch_without_the_state_of_the_run_names_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"^checkpoints\.anneal: {STATE_KEY}: .*restore it"):
        begun(tmp_path, there={KEYS: {100, 300}})


def test_a_branch_makes_no_checkpoint_where_it_begins(tmp_path: Path) -> None:
    first = start(tmp_path, (), (), BRANCH, {KEYS: {200}}, extendable=False)
    first()
    assert first.saver.checkpoints == set()


def limited_to(**limits: str) -> LCCPRunSpec:
    document = manifest()
    document["spec"]["topology"]["resources"] = {"limits": limits}
    return LCCPRun.parse(document, "run").spec


def check_scratch(folder: Path, spec: LCCPRunSpec, **config: Any) -> None:
    (folder / "config.json").write_text(json.dumps(SMALL | config))
    (folder / "scratch").mkdir(exist_ok=True)
    check_room(spec, folder, folder / "scratch")


def test_a_disk_that_a_save_does_not_fit_on_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = scratch_bytes(PARAMETERS, limited_to())
    found = SimpleNamespace(free=needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: found)

    check_scratch(tmp_path, limited_to())
    found.free = needed - 1
    with pytest.raises(
        LccpError, match=r"^TMPDIR: .* GiB free, .*: make room, or set it to"
    ) as told:
        check_scratch(tmp_path, limited_to())
    assert not isinstance(told.value, InvalidInput), "a full disk would fail the run for good"
    check_scratch(tmp_path, limited_to(), model_type="unknown")


def test_the_limit_of_a_pod_must_hold_the_tokens_beside_a_save(tmp_path: Path) -> None:
    limited = limited_to(**{"ephemeral-storage": str(scratch_bytes(PARAMETERS, limited_to()) + 8)})
    tokens = tmp_path / "scratch" / "source-0" / "shard-00000.tokens"
    tokens.parent.mkdir(parents=True)

    tokens.write_bytes(bytes(8))
    check_scratch(tmp_path, limited)
    tokens.write_bytes(bytes(12))
    with pytest.raises(
        InvalidInput, match=r"limits\.ephemeral-storage: \d+ is too .* more for fetched inputs$"
    ):
        check_scratch(tmp_path, limited)
