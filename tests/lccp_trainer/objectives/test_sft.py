"""The fine-tuning that a rank was ordered to do."""

from pathlib import Path

import pytest
import torch
from fine_tuned import RECORDS, a_worker, a_world
from operator_world import Worker
from trainer_world import ROW, World
from transformers import AutoModelForCausalLM

from lccp.api.objects.fine_tuning import FineTuning
from lccp.contract.errors import Incompatible
from lccp.store.objects import read
from lccp_trainer.objectives.sft import fine_tuning
from lccp_trainer.objectives.task import Task


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> World:
    return a_world(tiny, tmp_path)


def task_of(world: World, worker: Worker) -> Task:
    return fine_tuning(worker, world.store, lambda: None)


def test_the_budget_is_so_many_epochs_of_the_records(world: World) -> None:
    once, twice = (task_of(world, a_worker(world, rank, epochs=rank + 1)) for rank in (1, 3))

    assert once.spec.training.tokens % (4 * ROW) == 0
    assert twice.spec.training.tokens >= once.spec.training.tokens
    batch, _ = once.stream.next_batch(once.stream.start(), 2)
    assert batch.predicted is not None
    assert batch.predicted.any()
    assert not once.extendable


def test_rank_0_writes_down_what_is_fine_tuned_once(world: World) -> None:
    task_of(world, a_worker(world, rank=1))
    worker = a_worker(world)
    assert world.store.stat(worker.fine_tuning.keys.identity) is None

    task = task_of(world, worker)
    task_of(world, a_worker(world))

    identity = read(world.store, worker.fine_tuning.keys.identity, FineTuning)
    assert (identity.records, identity.left_out) == (len(RECORDS), 0)
    assert identity.settings == worker.sft
    assert identity.tokens == task.spec.training.tokens


def test_another_fine_tuning_of_the_checkpoint_is_refused(world: World) -> None:
    task_of(world, a_worker(world))

    with pytest.raises(Incompatible, match=r"^sft: .* is of another fine-tuning: .*epochs"):
        task_of(world, a_worker(world, epochs=7))


def test_adapters_begin_alike_on_every_rank(world: World) -> None:
    task = task_of(world, a_worker(world, lora={"rank": 2}))
    first, second = (
        task.module(AutoModelForCausalLM.from_pretrained(task.directory)) for _ in range(2)
    )

    own = {n: p for n, p in first.named_parameters() if p.requires_grad}
    assert own
    assert all("lora" in name for name in own)
    for name, parameter in second.named_parameters():
        if parameter.requires_grad:
            assert torch.equal(parameter, own[name]), name
