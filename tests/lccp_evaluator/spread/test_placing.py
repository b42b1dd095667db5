"""A model whose layers are on two devices gives the same readings as on one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import dispatch_model
from accelerate.hooks import remove_hook_from_module
from pretend_devices import Mixed, pretend_devices
from tiny_checkpoints import a_checkpoint
from tiny_models import a_model, a_passage

from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.planning.evaluators import EvaluatorMemory
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.model.size import Size
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.passes.ways import choose
from lccp_evaluator.spread import shards
from lccp_evaluator.spread.placing import placing

PASSAGES = [a_passage(80, 9, 1), a_passage(60, 5, 2)]
TWO = ["pretend:0", "pretend:1"]


def assert_equal(found: list[Reading], wanted: list[Reading]) -> None:
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one.nll, other.nll, atol=1e-4)
        np.testing.assert_allclose(one.mass, other.mass, atol=1e-5)
        assert (one.copied == other.copied).all()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {}),
        ("gemma3_text", {"tie_word_embeddings": True, "sliding_window": 16}),
        ("gpt_oss", {"experts_implementation": "eager"}),
    ],
    ids=["dense", "tied, with windows", "experts that transformers can't split, and sinks"],
)
def test_layers_on_two_devices_read_as_on_one(kind: str, settings: dict[str, Any]) -> None:
    model = a_model(kind, **settings)
    ids, masked = PASSAGES[0].ids, ((2, 1),)
    wanted = Engine(model, "Forked", 64).read(PASSAGES, masked=masked)
    where = placing(model, TWO)

    with pretend_devices():
        remove_hook_from_module(dispatch_model(model, where))
        assert choose(model, ids, len(ids), watches=True).way == "Forked"
        found = Engine(model, "Forked", 64).read(PASSAGES, masked=masked)

    assert Size.of(model).devices == 2
    assert_equal(found, wanted)


def test_pretended_devices_refuse_to_be_mixed() -> None:
    with pretend_devices(), pytest.raises(Mixed, match=r"add: .*pretend:0.*pretend:1"):
        torch.ones(2, device=TWO[0]) + torch.ones(2, device=TWO[1])


def test_layers_are_shared_out_evenly_and_a_tied_head_stays_with_the_embeddings() -> None:
    model = a_model("llama", tie_word_embeddings=True, vocab_size=16, num_hidden_layers=5)

    where = placing(model, ["a", "b"])

    layers = [where[f"model.layers.{number}"] for number in range(5)]
    assert layers == ["a", "a", "b", "b", "b"]
    beside = ("model.embed_tokens", "lm_head", "model.rotary_emb", "model.norm")
    assert [where[name] for name in beside] == ["a", "a", "a", "b"]
    assert where.keys() == {*beside, *(f"model.layers.{number}" for number in range(5))}


def test_more_devices_than_layers_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"--shards\): 3 layers can't be spread over 4 devices"):
        placing(a_model("llama"), list("abcd"))


@pytest.mark.parametrize("tied", [True, False])
def test_a_plan_of_the_run_counts_the_fullest_device(tied: bool) -> None:
    model = a_model("llama", tie_word_embeddings=tied).bfloat16()
    where = placing(model, ["a", "b"])
    weights = dict.fromkeys("ab", 0)
    for name, weight in model.named_parameters():
        weights[next(where[part] for part in where if name.startswith(f"{part}."))] += weight.nbytes

    architecture = Architecture.from_config(model.config.to_dict())

    assert EvaluatorMemory.of(architecture, 64, shards=2).weights == max(weights.values())


def a_plan() -> ExecutionPlan:
    return ExecutionPlan.here(Execution("cpu", processes=2, shards=2))


def test_a_dense_model_is_loaded_onto_its_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, plan = a_checkpoint(tmp_path, model_type="llama"), a_plan()
    with shards.loaded(directory, plan.model_copy(update={"shards": 1}), False) as whole:
        wanted = Engine(whole.model, "Forked", 64).read(PASSAGES)
    monkeypatch.setattr(shards, "devices_of", lambda *_: TWO)
    monkeypatch.setenv("HF_DEACTIVATE_ASYNC_LOAD", "1")  # other threads know no such devices

    with pretend_devices(), shards.loaded(directory, plan, False) as placed:
        assert_equal(Engine(placed.model, "Forked", 64).read(PASSAGES), wanted)
        assert Size.of(placed.model).devices == 2


def test_a_cpu_does_not_share_layers(tmp_path: Path) -> None:
    directory = a_checkpoint(tmp_path, model_type="llama")

    with (
        pytest.raises(InvalidInput, match="no experts that 2 processes of a CPU could share"),
        shards.loaded(directory, a_plan(), False),
    ):
        pass
