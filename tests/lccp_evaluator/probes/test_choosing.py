"""What a model reads of samples to choose tokens in them, and what that costs."""

from functools import reduce

import numpy as np
import pytest
from tiny_models import a_model

from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.work import Work
from lccp_evaluator.probes import choosing
from lccp_evaluator.progress import Done

pytestmark = pytest.mark.slow

TURNS = [[[40], [10, 20]], [[30], [10]]]
"""Tokens of two samples' passages, by turn."""


def passage(tokens: int) -> Passage:
    return Passage(np.arange(tokens) % 8, (tokens - 4, tokens))


def test_samples_are_read_in_turns_and_progress_goes_with_their_tokens() -> None:
    engine, told = Engine(a_model("llama"), "Whole", 16), list[Done]()
    samples = [[[passage(n) for n in turn] for turn in turns] for turns in TURNS]

    read = choosing.read(engine, samples, told.append)

    for turns, own in zip(samples, read, strict=True):
        for passages, readings in zip(turns, own, strict=True):
            alone = [one.nll for one in engine.read(passages)]
            np.testing.assert_array_equal([one.nll for one in readings], alone)
    assert [(done.samples, round(110 * done.share)) for done in told if done.share] == [
        *((0, 40), (0, 50), (0, 70), (1, 70)),
        *((1, 100), (1, 110), (2, 110)),
    ]


def test_their_work_is_that_of_every_turn() -> None:
    engine = Engine(a_model("llama"), "Whole", 16)
    samples = [[[passage(n) for n in turn] for turn in turns] for turns in TURNS]
    every = [one for turns in samples for one in turns]
    works = [Work.of(engine.planned(one).steps, one, watches=False) for one in every]

    assert choosing.work_of(engine, samples) == reduce(Work.__add__, works)
    assert choosing.work_of(engine, []) == Work()
