"""Real fine-tunings: a made-up task is learnt, and disturbed ones resume exactly."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from operator_process import wait_for
from stored import complete_states
from trainer_world import ROW, Attempt, World

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.objects.fine_tuning import FineTuning
from lccp.api.objects.manifest import Manifest
from lccp.store.keys import RunKeys
from lccp.store.objects import read

pytestmark = pytest.mark.long

CHECKPOINT = 4096
KEYS = RunKeys("default", "run").fine_tuning(CHECKPOINT)
WORDS = [f"w{number}" for number in range(60)]
HELD_OUT = 200
ALONE = {"topology": {"nodes": 1}}


def task() -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Every word stands for another one; of two words those are said in the reverse order."""
    rng = random.Random(0)
    means = dict(zip(WORDS, rng.sample(WORDS, len(WORDS)), strict=True))
    pairs = [(first, second) for first in WORDS for second in WORDS]
    rng.shuffle(pairs)
    return means, pairs


MEANS, PAIRS = task()


def answer(pair: tuple[str, str]) -> str:
    return f"{MEANS[pair[1]]} {MEANS[pair[0]]}"


def completion(pair: tuple[str, str]) -> dict[str, Any]:
    return {"prompt": f"{pair[0]} {pair[1]} ", "completion": answer(pair)}


def chat(pair: tuple[str, str]) -> dict[str, Any]:
    roles = (("user", f"{pair[0]} {pair[1]}"), ("assistant", answer(pair)))
    return {"messages": [{"role": role, "content": content} for role, content in roles]}


def taught_world(new_world: Callable[[], World], records: list[dict[str, Any]]) -> World:
    """A world with a checkpoint and records of the task."""
    world = new_world()
    (world.root / "records.jsonl").write_text("\n".join(map(json.dumps, records)))
    world.checkpoint(CHECKPOINT)
    return world


def settings(**more: Any) -> dict[str, Any]:
    base = {"path": "records.jsonl", "template": "Plain", "globalBatchTokens": 8 * ROW}
    return base | {"learningRate": "1e-2", "finalLearningRate": "1e-3"} | more


def output(world: World) -> Path:
    """The directory of the fine-tuned model."""
    manifest = read(world.store, KEYS.manifest, Manifest)
    return world.root / "store" / KEYS.checkpoint(manifest.tokens, manifest.writer)


# --- a task is learnt, from prompts and from conversations ---


@pytest.fixture(scope="module")
def taught(new_world: Callable[[], World]) -> tuple[World, Attempt]:
    pairs = PAIRS[:-HELD_OUT]
    records = [(chat if number % 2 else completion)(pair) for number, pair in enumerate(pairs)]
    world = taught_world(new_world, records)
    attempt = world.fine_tune(settings(epochs=10), CHECKPOINT, **ALONE)
    assert attempt.wait() == ExitCode.OK, attempt.log
    return world, attempt


def test_a_made_up_task_is_learnt_and_answers_end(taught: tuple[World, Attempt]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    directory, pairs = output(taught[0]), PAIRS[-HELD_OUT:]
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory).eval()
    wanted = torch.tensor([[*tokenizer(answer(pair))["input_ids"], 2] for pair in pairs])
    asked = [tokenizer(completion(pair)["prompt"])["input_ids"] for pair in pairs]
    asked_in_chat = [
        tokenizer.apply_chat_template(
            chat(pair)["messages"][:1], add_generation_prompt=True, return_dict=False
        )
        for pair in pairs
    ]
    for prompts in (torch.tensor(asked), torch.tensor(asked_in_chat)):
        said = model.generate(prompts, max_new_tokens=3, do_sample=False, pad_token_id=0)
        said = said[:, prompts.shape[1] :]
        assert said.shape == wanted.shape
        right = (said == wanted).all(1)
        assert right.float().mean() > 0.95


def test_what_was_done_is_told(taught: tuple[World, Attempt]) -> None:
    world, attempt = taught
    told = read(world.store, KEYS.identity, FineTuning)
    checkpoint = read(world.store, KEYS.run.checkpoint_manifest(CHECKPOINT), Manifest)
    assert told.checkpoint_digest == checkpoint.digest
    assert told.chat_template == (output(world) / "chat_template.jinja").read_text()
    assert (told.records, told.left_out) == (len(PAIRS) - HELD_OUT, 0)
    assert told.predicted_tokens == 3 * told.records
    assert told.tokens == attempt.end.tokens == attempt.heartbeat.tokens_total
    assert attempt.end.step * 8 * ROW == told.tokens
    rates = [record.learning_rate for record in attempt.history]
    assert max(rates) == pytest.approx(1e-2, rel=1e-3)
    assert rates[-1] == pytest.approx(1e-3)
    assert rates[0] < rates[3]


def test_nothing_but_the_model_and_its_story_is_left(taught: tuple[World, Attempt]) -> None:
    world, attempt = taught
    names = {info.key.removeprefix(KEYS.prefix) for info in world.store.list(KEYS.run.prefix)}
    below = {name.partition("/")[0] for name in names if not name.startswith("default/")}
    assert below == {"manifest.json", "sft.json", "control", "training", attempt.writer}
    assert not list(world.store.list(KEYS.run.trainings))


def test_a_checkpoint_is_fine_tuned_once(taught: tuple[World, Attempt]) -> None:
    world, first = taught
    again = world.fine_tune(settings(epochs=10), CHECKPOINT, attempt=2, **ALONE)
    assert again.wait() == ExitCode.OK
    assert again.end.result is Cause.COMPLETED
    assert again.end.message == f"{KEYS.manifest} already exists"
    assert (again.end.tokens, again.end.step) == (first.end.tokens, first.end.step)


# --- adapters, terminated and resumed on another number of processes, beside plain PEFT ---

LORA = {"rank": 4, "alpha": "8", "targetModules": ["q_proj", "v_proj"]}
EPOCHS = 30


@pytest.fixture(scope="module")
def disturbed(new_world: Callable[[], World]) -> tuple[World, list[Attempt]]:
    world = taught_world(new_world, [completion(pair) for pair in PAIRS[:600]])
    sft = settings(epochs=EPOCHS, lora=LORA, seed=1)
    first = world.fine_tune(sft, CHECKPOINT, checkpoints={"stateEveryTokens": 5 * 8 * ROW})
    wait_for(lambda: is_saved(world) or first.process.poll() is not None, "no state", seconds=240)
    first.process.terminate()
    assert first.wait() == ExitCode.TERMINATED, first.log
    assert complete_states(world.store, KEYS)[-1].tokens == first.end.tokens
    other = world.fine_tune(sft | {"seed": 2}, CHECKPOINT, attempt=2)
    assert other.wait() == ExitCode.CONFIGURATION, other.log
    deepspeed = {"zeroStage": 3}
    last = world.fine_tune(sft, CHECKPOINT, 3, **ALONE, training={"deepspeed": deepspeed})
    assert last.wait() == ExitCode.OK, last.log
    return world, [first, other, last]


def is_saved(world: World) -> bool:
    """A state is complete: heartbeats are too rare to tell of progress before the end."""
    return any(info.key.endswith("/manifest.json") for info in world.store.list(KEYS.states))


def test_another_fine_tuning_of_the_checkpoint_is_refused(
    disturbed: tuple[World, list[Attempt]],
) -> None:
    _, (_, other, _) = disturbed
    sentence = f"{KEYS.identity} is of another fine-tuning: settings.seed is 1 there and 2 here"
    assert sentence in other.end.message


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
def test_it_goes_on_exactly_on_another_layout_as_plain_peft_would(
    disturbed: tuple[World, list[Attempt]], tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    world, (first, _, last) = disturbed
    assert last.heartbeat.resumed_from_tokens == first.end.tokens
    losses = [record.loss for record in (*first.history, *last.history)]
    expected, weights = plain(world, tmp_path)
    assert losses == pytest.approx(expected, rel=2e-5)
    model = AutoModelForCausalLM.from_pretrained(output(world)).state_dict()
    assert set(model) == set(weights)
    for name, weight in weights.items():
        assert torch.allclose(model[name], weight, atol=1e-5), name
    base, found = (
        load_file(directory / "model.safetensors")
        for directory in (world.root / "model", output(world))
    )
    changed = {name for name in base if not torch.equal(found[name], base[name])}
    assert changed == {name for name in base if name.endswith(("q_proj.weight", "v_proj.weight"))}


def plain(world: World, scratch: Path) -> tuple[list[float], dict[str, Any]]:
    """Losses and weights of the same batches under PEFT, one process and no DeepSpeed."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from lccp.api.run import LCCPRun
    from lccp.api.spec.sft import SFTSpec
    from lccp.cost.fine_tuning import fine_tuning_run, with_budget
    from lccp_trainer.data.records.folder import RecordFolder, Rules, prepare
    from lccp_trainer.data.records.reading import read_records
    from lccp_trainer.data.records.rows import planned_rows
    from lccp_trainer.data.records.stream import RecordStream
    from lccp_trainer.parallel.optimizer import adamw
    from lccp_trainer.schedule import learning_rate

    tokenizer = AutoTokenizer.from_pretrained(world.root / "model")
    read_all = read_records(world.root / "records.jsonl", "sft.path")
    prepare(read_all, tokenizer, Rules(None, ROW, 0, "sft.path"), scratch / "records")
    records = RecordFolder(scratch / "records")
    rows = planned_rows(records.lengths.tolist(), ROW, EPOCHS, seed=1)
    stream, steps = RecordStream(records, rows, ROW), -(-len(rows) // 8)
    sft = SFTSpec.parse(settings(epochs=EPOCHS, lora=LORA, seed=1), "sft")
    spec = LCCPRun.parse(world.document(), "run").spec
    training = with_budget(fine_tuning_run(spec, sft), sft, steps).training
    base = AutoModelForCausalLM.from_pretrained(world.root / "model", dtype=torch.float32)
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(base, config)
    optimizer, position, losses = adamw(model, training), stream.start(), []
    for step in range(1, steps + 1):
        batch, position = stream.next_batch(position, 8)
        tokens, positions = (torch.from_numpy(a).long() for a in (batch.tokens, batch.positions))
        predicted = torch.from_numpy(batch.predicted)
        logits = model(input_ids=tokens, position_ids=positions, use_cache=False).logits[:, :-1]
        targets = tokens[:, 1:].masked_fill(~predicted[:, 1:], -100)
        loss = cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), training.gradient_clipping)
        optimizer.param_groups[0]["lr"] = learning_rate(training, step * 8 * ROW)
        optimizer.step()
        losses.append(loss.item())
    return losses, model.merge_and_unload().state_dict()


# --- a record that only tokenizing finds ---


def test_a_record_that_is_too_long_is_named_or_left_out(new_world: Callable[[], World]) -> None:
    long = {"prompt": "w0 " * 180, "completion": "w1"}
    world = taught_world(new_world, [completion(PAIRS[0]), long])
    refused = world.fine_tune(settings(), CHECKPOINT)
    assert refused.wait() == ExitCode.CONFIGURATION, refused.log
    place = f"{world.root}/records.jsonl, line 2"
    sentence = f"sft.path: {place}: has 182 tokens, and a row 128: shorten it"
    assert refused.end.message.startswith(sentence)
    left_out = world.fine_tune(settings(badRecordsMax=1), CHECKPOINT, attempt=2)
    assert left_out.wait() == ExitCode.OK, left_out.log
    told = read(world.store, KEYS.identity, FineTuning)
    assert (told.records, told.left_out) == (1, 1)
