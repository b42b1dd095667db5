"""The part of each parameter that is kept here, as views to read and to write."""

from collections import Counter

import pytest
import torch
from plain_engine import VOCABULARY, Bigrams, PlainEngine

from lccp_trainer.parallel.fragments import held, optimizer_steps, owned, restored, trained


@pytest.fixture
def engine() -> PlainEngine:
    return PlainEngine(Bigrams())


def test_whole_parameters_are_held_as_views_of_weights_and_moments(engine: PlainEngine) -> None:
    logits, bias = held(engine)

    assert [logits.parameter, bias.parameter] == ["model.logits", "model.bias"]
    assert [logits.length, bias.length] == [VOCABULARY**2, VOCABULARY]
    assert set(bias.values) == {"weight", "exp_avg", "exp_avg_sq"}
    bias.values["weight"].fill_(3)
    bias.values["exp_avg"].fill_(5)
    assert bool((engine.module.model.bias == 3).all())
    assert bool((engine.optimizer.state[engine.module.model.bias]["exp_avg"] == 5).all())


def test_a_part_is_counted_in_the_parameter(engine: PlainEngine) -> None:
    _, bias = held(engine)
    part = bias.part(4, 8).part(6, 3)

    assert (part.start, part.length) == (6, 3)
    assert torch.equal(part.values["weight"], engine.module.model.bias[6:9])


@pytest.mark.parametrize("processes", [1, 3, 32])
def test_every_element_is_written_by_one_process(engine: PlainEngine, processes: int) -> None:
    written = Counter(
        (fragment.parameter, fragment.start + at)
        for rank in range(processes)
        for fragment in owned(engine, rank, processes)
        for at in range(fragment.length)
    )

    assert set(written.values()) == {1}
    assert len(written) == VOCABULARY**2 + VOCABULARY


def test_what_is_not_trained_is_not_kept(engine: PlainEngine) -> None:
    engine.module.model.logits.requires_grad_(False)

    assert [name for name, _ in trained(engine)] == ["model.bias"]
    assert [fragment.parameter for fragment in held(engine)] == ["model.bias"]


def test_steps_that_adam_made_are_those_that_were_restored(engine: PlainEngine) -> None:
    assert optimizer_steps(engine) == 0
    held(engine)

    restored(engine, 7)

    assert optimizer_steps(engine) == 7
