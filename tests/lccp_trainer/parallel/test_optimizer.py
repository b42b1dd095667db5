"""AdamW over the parameters of a model."""

import torch
from plain_engine import Bigrams, PlainEngine, a_training
from torch import nn

from lccp_trainer.parallel.optimizer import adamw, set_learning_rate

MODEL = {"weightDecay": "0.3", "beta1": "0.8", "beta2": "0.7", "epsilon": "1e-3"}


def a_model() -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    model[0].weight.group_name = "ep_size_2"  # type: ignore[union-attr]
    return model


def test_matrices_decay_and_nothing_else() -> None:
    model = Bigrams()
    optimizer = adamw(model, a_training(optimizer=MODEL))

    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays == {id(model.model.logits): 0.3, id(model.model.bias): 0.0}
    assert optimizer.defaults["betas"] == (0.8, 0.7)
    assert optimizer.defaults["eps"] == 1e-3


def test_experts_that_are_spread_have_a_group_of_their_own() -> None:
    model = a_model()
    groups = adamw(model, a_training()).param_groups

    (spread,) = [group for group in groups if group.get("moe")]
    assert spread["params"] == [model[0].weight]
    assert spread["name"] == "ep_size_2"


def test_a_parameter_that_is_not_trained_is_left_alone() -> None:
    model = a_model()
    model[1].requires_grad_(False)

    assert sum(len(g["params"]) for g in adamw(model, a_training()).param_groups) == 2


def test_a_parameter_that_zero_3_flattened_counts_by_its_shape() -> None:
    model = nn.ParameterDict({"a": nn.Parameter(torch.zeros(6))})
    model["a"].ds_shape = (2, 3)  # type: ignore[attr-defined]

    (group,) = adamw(model, a_training()).param_groups
    assert group["weight_decay"] > 0


def test_a_step_that_is_left_out_changes_nothing() -> None:
    engine = PlainEngine(Bigrams())
    before = engine.module.model.bias.detach().clone()
    engine.module.model.bias.grad = torch.ones_like(before)

    engine.optimizer.leaves_out = True
    engine.optimizer.step()
    assert torch.equal(engine.module.model.bias, before)
    engine.optimizer.leaves_out = False
    engine.optimizer.step()
    assert not torch.equal(engine.module.model.bias, before)


def test_a_learning_rate_is_that_of_every_group() -> None:
    engine = PlainEngine(Bigrams())

    set_learning_rate(engine, 0.125)

    assert [group["lr"] for group in engine.optimizer.param_groups] == [0.125, 0.125]
