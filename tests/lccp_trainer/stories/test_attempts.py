"""Real attempts: DeepSpeed on two processes, started, drained, killed and resumed."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from laptop import lives
from serving import free_port
from stored import complete_checkpoints, complete_states
from trainer_world import BATCH_ROWS, ROW, Attempt, World

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Control
from lccp.api.objects.manifest import Manifest
from lccp.store.directory import download_directory
from lccp.store.keys import RunKeys
from lccp.store.objects import read, write

pytestmark = pytest.mark.long

STEPS = 60
BATCH_TOKENS = BATCH_ROWS * ROW
BUDGET = STEPS * BATCH_TOKENS
KEYS = RunKeys("default", "run")
LONG = {
    "training": {"tokens": BUDGET, "microBatchSize": 1},
    "checkpoints": {"everyTokens": 24 * BATCH_TOKENS + 1},
    "data": {"heldOutTokens": 400},
}
"""Checkpoints are asked for one token after a step: the next step makes them."""
ENDLESS = LONG | {"training": LONG["training"] | {"tokens": 100_000 * BATCH_TOKENS}}
"""The same steps, and more than any machine makes before a test ends them."""


def losses(*attempts: Attempt) -> dict[int, list[float]]:
    """The losses of each step, one of each attempt that made it."""
    found: dict[int, list[float]] = {}
    for attempt in attempts:
        for record in attempt.history:
            found.setdefault(record.step, []).append(record.loss)
    return found


def survivors(processes: list[psutil.Process], within_seconds: float = 20.0) -> list[int]:
    """Those that still live after so long."""
    end = time.monotonic() + within_seconds
    while (left := [p.pid for p in processes if lives(p.pid)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


# --- a run that nothing disturbs, as a cluster starts it: two launchers, one process each ---


@pytest.fixture(scope="module")
def undisturbed(new_world: Callable[[], World]) -> tuple[World, list[Attempt]]:
    world = new_world()
    rendezvous = f"127.0.0.1:{free_port()}"
    nodes = [
        world.start(world.document(**LONG), LCCP_RENDEZVOUS=rendezvous, JOB_COMPLETION_INDEX=node)
        for node in ("0", "1")
    ]
    assert [node.wait() for node in nodes] == [ExitCode.OK, ExitCode.OK], nodes[0].log
    return world, nodes


def test_a_run_ends_completed_with_its_last_word(
    undisturbed: tuple[World, list[Attempt]],
) -> None:
    _, (first, _) = undisturbed
    assert (first.end.result, first.end.tokens, first.end.step) == (Cause.COMPLETED, BUDGET, STEPS)
    beat = first.heartbeat
    assert (beat.phase, beat.tokens, beat.step) == ("Ending", BUDGET, STEPS)
    assert beat.mfu is None
    assert beat.tokens_per_second
    assert set(beat.epochs) == {"long", "short"}
    assert min(beat.epochs.values()) > 0
    assert beat.loss_by_source == first.history[-1].loss_by_source
    assert [record.step for record in first.history] == list(range(1, STEPS + 1))


def test_the_loss_lies_between_those_of_the_sources(
    undisturbed: tuple[World, list[Attempt]],
) -> None:
    _, (first, _) = undisturbed
    for record in first.history:
        assert set(record.loss_by_source) <= {"long", "short"}
        told = record.loss_by_source.values()
        assert min(told) - 1e-6 <= record.loss <= max(told) + 1e-6
    assert any(len(record.loss_by_source) == 2 for record in first.history)


def test_node_0_alone_reports(undisturbed: tuple[World, list[Attempt]]) -> None:
    world, (first, second) = undisturbed
    writers = {info.key.split("/")[3] for info in world.store.list(KEYS.trainings)}
    assert writers == {first.writer}
    assert second.writer not in writers


def test_the_terminal_stays_quiet(undisturbed: tuple[World, list[Attempt]]) -> None:
    _, nodes = undisturbed
    lines = [line for node in nodes for line in node.log.splitlines()]
    for record in map(json.loads, lines):
        assert (record["run"], record["attempt"]) == ("default/run", 1)
    assert len(lines) < 20


def test_checkpoints_are_made_by_the_first_step_that_reaches_them(
    undisturbed: tuple[World, list[Attempt]],
) -> None:
    world, (first, _) = undisturbed
    manifests = complete_checkpoints(world.store, KEYS)
    tokens = [manifest.tokens for manifest in manifests]
    assert tokens == [0, 25 * BATCH_TOKENS, 49 * BATCH_TOKENS, BUDGET]
    assert first.heartbeat.checkpoints == tuple(tokens)
    last = manifests[-1]
    assert (last.step, last.world_size, last.writer) == (STEPS, 2, first.writer)
    assert (last.source_context_length, last.target_context_length) == (64, ROW)
    assert sum(last.tokens_per_source.values()) == BUDGET
    assert last.tokens_per_source["long"] == pytest.approx(BUDGET * 3 / 4, abs=2 * ROW)


def test_every_checkpoint_has_the_loss_on_documents_that_were_never_trained_on(
    undisturbed: tuple[World, list[Attempt]],
) -> None:
    world, (first, _) = undisturbed
    measured = [manifest.held_out for manifest in complete_checkpoints(world.store, KEYS)]
    cells = [{(c.source, c.band): c for c in one.cells} for one in measured if one is not None]
    assert len(cells) == 4
    assert set(cells[0]) == {("long", "within"), ("long", "beyond"), ("short", "within")}
    assert cells[-1]["long", "beyond"].loss < cells[0]["long", "beyond"].loss
    for key in cells[0]:
        assert len({one[key].predicted_tokens for one in cells}) == 1
    assert first.heartbeat.held_out == measured[-1]
    assert first.end.ledger.measuring > 0
    shares = [(one.start, one.end) for one in first.heartbeat.position_shares]
    assert shares == [(0, 64), (64, ROW)]
    assert sum(one.share for one in first.heartbeat.position_shares) == pytest.approx(1, abs=1e-3)


def test_only_the_newest_states_are_kept_with_parts_of_both_nodes(
    undisturbed: tuple[World, list[Attempt]],
) -> None:
    world, (first, _) = undisturbed
    states = complete_states(world.store, KEYS)
    assert [state.tokens for state in states] == [49 * BATCH_TOKENS, BUDGET]
    ranks = {"rank-00000.safetensors", "rank-00001.safetensors"}
    assert set(states[-1].files) == ranks | {"progress.json"}
    assert first.heartbeat.states == (49 * BATCH_TOKENS, BUDGET)


def test_a_checkpoint_is_the_model_with_its_context_raised(
    undisturbed: tuple[World, list[Attempt]], tiny: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    world, _ = undisturbed
    models = {}
    for manifest in complete_checkpoints(world.store, KEYS):
        folder = tmp_path / str(manifest.tokens)
        prefix = KEYS.checkpoint(manifest.tokens, manifest.writer)
        download_directory(world.store, prefix, manifest.files, folder)
        models[manifest.tokens] = AutoModelForCausalLM.from_pretrained(folder)
        assert len(AutoTokenizer.from_pretrained(folder)) == 64
    config = models[BUDGET].config
    assert config.rope_parameters["rope_theta"] == 40_000
    assert config.max_position_embeddings == ROW
    base = AutoModelForCausalLM.from_pretrained(tiny / "model").state_dict()
    start, end = models[0].state_dict(), models[BUDGET].state_dict()
    assert all(torch.equal(base[name], start[name]) for name in base)
    assert not any(
        torch.equal(base[name], end[name]) for name in base if name.endswith("q_proj.weight")
    )


def test_the_losses_are_those_of_plain_pytorch(
    undisturbed: tuple[World, list[Attempt]], tmp_path: Path
) -> None:
    world, (first, _) = undisturbed
    expected = plain_losses(world, steps=4, scratch=tmp_path)
    found = [record.loss for record in first.history]
    assert found[:4] == pytest.approx(expected, rel=1e-5)
    assert sum(found[-8:]) < sum(found[:8])


def plain_losses(world: World, steps: int, scratch: Path) -> list[float]:
    """The losses of the same data under one process, one optimizer and no DeepSpeed."""
    import torch
    from torch.nn.functional import cross_entropy

    from lccp.api.run import LCCPRun
    from lccp_trainer.data.sources import NodeGroup, token_folders
    from lccp_trainer.data.stream import open_stream
    from lccp_trainer.model.config import load_config
    from lccp_trainer.model.directory import load_model, load_tokenizer
    from lccp_trainer.parallel.optimizer import adamw

    spec = LCCPRun.parse(world.document(**LONG), "run").spec
    source = world.root / "model"
    config = load_config(spec.model, source)
    model = load_model(spec.model, source, config, torch.float32)
    tokenizer = load_tokenizer(spec.model, source, config)
    node = NodeGroup(scratch, first=True)
    folders = token_folders(spec.data, world.root, lambda: tokenizer, "digest", node)
    stream = open_stream(spec.data, folders, (64, ROW))
    optimizer, position, found = adamw(model, spec.training), stream.start(), []
    for _ in range(steps):
        batch, position = stream.next_batch(position, BATCH_ROWS)
        tokens, positions = (torch.from_numpy(a).long() for a in (batch.tokens, batch.positions))
        logits = model(input_ids=tokens, position_ids=positions, use_cache=False).logits[:, :-1]
        targets = tokens[:, 1:].masked_fill(positions[:, 1:] == 0, -100)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), spec.training.gradient_clipping)
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


# --- the same run, drained, terminated, killed in two ways, drained; as a laptop starts it ---


@dataclass
class Disturbed:
    """The attempts of a run that was never left in peace, and how each ended."""

    world: World
    attempts: list[Attempt] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    survivors: list[int] = field(default_factory=list)

    def start(self) -> Attempt:
        number = len(self.attempts) + 1
        self.attempts.append(self.world.start(self.world.document(**ENDLESS), number))
        return self.attempts[-1]

    def drain(self, attempt: int) -> None:
        key = KEYS.control(attempt)
        control = read(self.world.store, key, Control)
        write(self.world.store, key, control.model_copy(update={"request": "Drain"}))

    def live(self) -> "Disturbed":
        drained = self.start()
        self.drain(1)
        self.codes.append(drained.wait())

        terminated = self.start()
        terminated.wait_for_step(10)
        terminated.process.terminate()
        self.codes.append(terminated.wait())

        broken = self.start()
        broken.wait_for_step(self.attempts[1].end.step + 1)
        broken.ranks()[1].kill()
        self.codes.append(broken.wait())

        orphaned = self.start()
        orphaned.wait_for_step(self.attempts[1].end.step + 1)
        below = psutil.Process(orphaned.process.pid).children(recursive=True)
        orphaned.process.kill()
        self.survivors = survivors(below)
        self.codes.append(orphaned.wait())

        last = self.start()
        last.wait_for_step(STEPS)
        self.drain(5)
        self.codes.append(last.wait())
        return self


@pytest.fixture(scope="module")
def disturbed(new_world: Callable[[], World]) -> Disturbed:
    return Disturbed(new_world()).live()


def test_every_end_has_its_exit_code(disturbed: Disturbed) -> None:
    expected = [ExitCode.OK, ExitCode.TERMINATED, ExitCode.INTERNAL, -signal.SIGKILL, ExitCode.OK]
    assert disturbed.codes == expected, "\n".join(a.log for a in disturbed.attempts)


def test_a_drained_attempt_saves_a_state_and_no_checkpoint(disturbed: Disturbed) -> None:
    drained = disturbed.attempts[0]
    assert drained.end.result is Cause.DRAINED
    assert drained.end.step > 0
    assert drained.heartbeat.states == (drained.end.tokens,)
    assert drained.heartbeat.checkpoints == (0,)


def test_a_terminated_attempt_saves_where_it_was(disturbed: Disturbed) -> None:
    drained, terminated, *_ = disturbed.attempts
    assert terminated.end.result is Cause.TERMINATED
    assert terminated.heartbeat.resumed_from_tokens == drained.end.tokens
    assert terminated.end.tokens in terminated.heartbeat.states


def test_a_killed_rank_is_named(disturbed: Disturbed) -> None:
    broken = disturbed.attempts[2]
    assert (broken.end.result, broken.end.rank) == (Cause.INTERNAL, 1)
    assert broken.end.message == "rank 1 was killed by SIGKILL"
    assert broken.end.step > 0


def test_no_process_outlives_the_launcher(disturbed: Disturbed) -> None:
    assert disturbed.survivors == []


def test_the_losses_go_on_exactly_as_if_nothing_had_happened(
    disturbed: Disturbed, undisturbed: tuple[World, list[Attempt]]
) -> None:
    _, (first, _) = undisturbed
    found = losses(*disturbed.attempts)
    assert all(len(set(of_step)) == 1 for of_step in found.values())
    assert [found[record.step][0] for record in first.history] == [r.loss for r in first.history]


def test_the_checkpoints_are_the_same_to_the_byte(
    disturbed: Disturbed, undisturbed: tuple[World, list[Attempt]]
) -> None:
    found, expected = (
        {m.tokens: m.digest for m in complete_checkpoints(world.store, KEYS)}
        for world in (disturbed.world, undisturbed[0])
    )
    del expected[BUDGET]
    assert expected == {tokens: found[tokens] for tokens in expected}
    assert len(expected) == 3


# --- other ends ---


def test_a_damaged_state_is_passed_over_for_the_one_before(
    disturbed: Disturbed, new_world: Callable[[], World]
) -> None:
    """With ZeRO-3: 2 steps, then a budget of 4, whose newest state is damaged, then of 5."""
    world = new_world()

    def attempt(number: int, steps: int) -> Attempt:
        document = world.document(
            training={"tokens": steps * BATCH_TOKENS, "deepspeed": {"zeroStage": 3}},
            checkpoints={"everyTokens": 2 * BATCH_TOKENS},
            data=LONG["data"],
        )
        started = world.start(document, number)
        assert started.wait() == ExitCode.OK, started.log
        return started

    first = attempt(1, 4)
    newest = read(world.store, KEYS.state_manifest(4 * BATCH_TOKENS), Manifest)
    key = f"{KEYS.state(newest.tokens, newest.writer)}rank-00001.safetensors"
    data = world.store.get(key)
    world.store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
    second = attempt(2, 5)
    assert second.heartbeat.resumed_from_tokens == 2 * BATCH_TOKENS
    assert "differs from what was written" in second.log
    found = losses(first, second)
    assert list(found) == [1, 2, 3, 4, 5]
    assert found[3][0] == found[3][1]
    assert found[4][0] == found[4][1]
    replaced = read(world.store, KEYS.state_manifest(4 * BATCH_TOKENS), Manifest)
    assert replaced.writer == second.writer
    stage_1 = losses(disturbed.attempts[0], disturbed.attempts[1])
    assert [of[0] for of in found.values()] == pytest.approx(
        [stage_1[step][0] for step in found], rel=1e-4
    )


def test_a_state_that_is_gone_is_not_trained_again(new_world: Callable[[], World]) -> None:
    world = new_world()
    document = world.document(**LONG, topology={"nodes": 1})
    document["spec"]["training"]["tokens"] = 2 * BATCH_TOKENS
    first = world.start(document)
    assert first.wait() == ExitCode.OK, first.log
    (newest,) = complete_states(world.store, KEYS)
    world.store.delete(KEYS.state_manifest(newest.tokens))
    environ = world.environ(document, 2)
    control = read(world.store, KEYS.control(2), Control)
    write(world.store, KEYS.control(2), control.model_copy(update={"newest_state": newest.tokens}))

    second = world.launch(environ, KEYS)

    assert second.wait() == ExitCode.STORE_REFUSED, second.log
    assert second.end.result is Cause.STORE_REFUSED
    assert f"where it had one of {newest.tokens:,}" in second.end.message
    assert (second.heartbeat.step, second.heartbeat.states) == (0, ())


def poisoned(world: World, data: str, stage: int) -> Attempt:
    """A started run of one process over `data`, with a model that can't stand some of it."""
    document = world.document(
        model={"source": "poisoned"},
        data={
            "shortFraction": "0",
            "sources": [{"name": "long", "kind": "Long", "path": f"data/{data}.jsonl"}],
        },
        training={
            "tokens": 8 * BATCH_TOKENS,
            "deepspeed": {"zeroStage": stage},
            "notFiniteSteps": 2,
        },
        topology={"nodes": 1},
        evaluation={"baseline": False},
    )
    return world.start(document)


def test_a_step_that_is_not_finite_is_left_out(
    new_world: Callable[[], World], tiny: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    world = new_world()
    attempt = poisoned(world, "poisoned-once", stage=0)
    assert attempt.wait() == ExitCode.OK, attempt.log
    bad = [r.step for r in attempt.history if r.loss != r.loss]
    assert 1 <= len(bad) <= 2
    assert [r.step for r in attempt.history if r.gradient_norm is None] == bad
    (manifest,) = complete_checkpoints(world.store, KEYS)
    key = f"{KEYS.checkpoint(manifest.tokens, manifest.writer)}model.safetensors"
    world.store.get_file(key, tmp_path / "model.safetensors")
    before = load_file(tiny / "poisoned" / "model.safetensors")
    after = load_file(tmp_path / "model.safetensors")
    broken = {name for name, weight in after.items() if not weight.isfinite().all()}
    assert broken == {"model.embed_tokens.weight"}
    assert after["model.embed_tokens.weight"].isfinite().all(1).sum() == 63
    assert not after["lm_head.weight"].equal(before["lm_head.weight"])


def test_too_many_steps_that_are_not_finite_end_the_attempt(
    new_world: Callable[[], World],
) -> None:
    world = new_world()
    attempt = poisoned(world, "poisoned", stage=1)
    assert attempt.wait() == ExitCode.NOT_FINITE, attempt.log
    assert attempt.end.result is Cause.NOT_FINITE
    assert attempt.end.message.startswith("loss or gradient was not finite in 3 steps in a row")
    assert len(attempt.history) == 3
    assert complete_states(world.store, KEYS) == []
