"""What a model generates, against transformers' own generation."""

import numpy as np
import pytest
import torch
from families import FAMILIES
from tiny_models import a_model

from lccp_evaluator.model import capture
from lccp_evaluator.model.execution import Way
from lccp_evaluator.passes.decoding import said_work
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.work import Work

PROMPT, SAY = 70, 12


def passages() -> list[Passage]:
    rng = np.random.default_rng(1)
    ids = [rng.integers(3, 90, PROMPT + 4) for _ in range(2)]
    return [Passage(ids[0], (PROMPT, PROMPT + 4), say=SAY), Passage(ids[1], (PROMPT, PROMPT + 4))]


def generated(model, prompt: np.ndarray, ends: int | None) -> list[int]:
    """By transformers, with eager attention and its cache; without what ends the text."""
    model.set_attn_implementation("eager")
    ids = torch.tensor(prompt[None])
    options = {"do_sample": False, "eos_token_id": ends, "pad_token_id": 0}
    found = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=SAY, **options)
    model.set_attn_implementation(capture.NAME)
    return [token for token in found[0, len(prompt) :].tolist() if token != ends]


@pytest.mark.parametrize("way", ["Forked", "Whole"])
@pytest.mark.parametrize("family", ["Llama", "HunYuan MoE", "Qwen3-MoE", "Gemma 3"])
def test_a_model_says_what_transformers_generates(family: str, way: Way) -> None:
    model_type, settings = FAMILIES[family]
    model = a_model(model_type, **settings)
    model.generation_config.eos_token_id = None
    first, second = passages()
    expected = generated(model, first.ids[:PROMPT], None)

    read = Engine(model, way, 48).read([first, second])
    assert read[0].said.tolist() == expected
    assert read[1].said.size == 0
    ends = expected[-1]
    model.generation_config.eos_token_id = [ends, 96]
    until = expected[: expected.index(ends)]
    assert Engine(model, way, 48).read([first])[0].said.tolist() == until


def test_its_cost_is_counted_and_told_as_it_is_computed() -> None:
    model = a_model("llama")
    model.generation_config.eos_token_id = None
    told: list[int] = []
    engine, asked = Engine(model, "Forked", 48), passages()
    plan = engine.planned(asked)
    engine.read(asked, told.append, plan)

    work = engine.work(asked, plan)
    assert work.tokens == sum(told) == plan.tokens + PROMPT + SAY - 1
    said = said_work(asked[0], 48)
    assert (said.passes, said.judged) == (2 + SAY - 1, 2 + SAY - 1)
    assert said.pairs == sum(range(1, PROMPT + SAY))
    assert said_work(asked[0], None).tokens == sum(range(PROMPT, PROMPT + SAY))
    assert said_work(asked[1], 48) == Work()
