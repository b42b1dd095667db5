"""The inputs of a fine-tuning, on each node."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fine_tuned import RECORDS, TOKENS, a_worker, a_world
from operator_world import Worker
from trainer_world import World

from lccp.contract.errors import InvalidInput
from lccp.cost.fine_tuning import fine_tuning_run
from lccp_trainer.data.records.rendering import PLAIN_TEMPLATE
from lccp_trainer.objectives.sft_inputs import SFTInputs, inputs


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> World:
    return a_world(tiny, tmp_path)


def given_to(world: World, worker: Worker, alive: Callable[[], None] = lambda: None) -> SFTInputs:
    spec = fine_tuning_run(worker.spec, worker.fine_tuning.sft)
    return inputs(worker, world.store, spec, alive)


def test_one_process_of_a_node_fetches_and_tokenizes_and_the_others_find_it(world: World) -> None:
    first = a_worker(world)
    asked: list[int] = []
    found = given_to(world, first, lambda: asked.append(1))
    other = given_to(world, replace(first, rank=1, local_rank=1))

    assert asked
    assert found.records.summary == other.records.summary
    assert found.records.summary.records == len(RECORDS)
    assert found.checkpoint.tokens == TOKENS
    assert (found.directory / "model.safetensors").exists()
    assert (found.directory / "chat_template.jinja").read_text() == PLAIN_TEMPLATE


def test_waiting_may_be_ended(world: World) -> None:
    class Ended(Exception):
        pass

    def ended() -> None:
        raise Ended

    with pytest.raises(Ended):
        given_to(world, replace(a_worker(world), rank=1, local_rank=1), ended)


def test_a_checkpoint_that_is_damaged_is_refused(world: World) -> None:
    (path,) = (world.root / "store").glob("**/model.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(InvalidInput, match=r"model\.safetensors"):
        given_to(world, a_worker(world))


def test_a_tokenizer_without_an_end_of_text_is_refused(tiny: Path, world: World) -> None:
    """Answers would end with nothing, and the model would learn never to end."""
    model = world.root / "model"
    model.unlink()
    shutil.copytree(tiny / "model", model)
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token": None}))
    world.checkpoint(TOKENS)

    with pytest.raises(InvalidInput, match=r"^sft: the checkpoint's tokenizer names no"):
        given_to(world, a_worker(world))


def test_a_template_of_the_models_own_must_be_there(world: World) -> None:
    message = {
        "messages": [{"role": "user", "content": "w1"}, {"role": "assistant", "content": "w2"}]
    }
    (world.root / "records.jsonl").write_text(json.dumps(message))

    with pytest.raises(InvalidInput, match=r"^sft\.path: .*template"):
        given_to(world, a_worker(world, template="Model"))
