from pathlib import Path
from typing import Any

import pytest
import torch
from equality import batches, make_model

from layouts import FAMILIES, LENGTH, ROWS
from lccp.cost.layout import Layout, StepShape
from lccp_trainer.data.stream import Batch
from lccp_trainer.objectives.losses import LossTable
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.objectives.routing import Routing, Tally, counted
from lccp_trainer.parallel import attention
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import Shard, shards

pytestmark = pytest.mark.slow

SPARSE = ["hunyuan_v1_moe", "qwen3_moe", "mixtral", "deepseek_v3"]


def shard_of(tokens: Any, positions: Any) -> Shard:
    shape = StepShape(ROWS, LENGTH, Layout(1), ROWS)
    (shard,) = shards(
        Batch(tokens, positions), shape, Groups(Layout(1), 0, None), torch.device("cpu")
    )
    return shard


def an_objective(family: str, folder: Path, coefficient: float | None = None) -> Pretraining:
    from transformers import AutoModelForCausalLM

    attention.register()
    model = AutoModelForCausalLM.from_pretrained(
        make_model(family, folder), attn_implementation=attention.IMPLEMENTATION
    )
    objective = Pretraining(model)
    objective.watch_routers(LENGTH, coefficient)
    return objective


def taken(tally: Tally) -> Routing:
    tally.exchange()
    return tally.take()


def seen_by_hooks(objective: Pretraining, shard: Shard) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities and chosen experts of each router, caught in another way."""
    caught: list[Any] = []
    sigmoid = objective.model.config.model_type == "deepseek_v3"
    gates = [m.gate for m in objective.model.modules() if hasattr(m, "gate")]
    handles = [g.register_forward_hook(lambda m, i, out: caught.append(out)) for g in gates]
    with torch.no_grad():
        objective(shard)
    for handle in handles:
        handle.remove()
    found = []
    for logits, _, chosen in caught:
        scores = logits.float().sigmoid() if sigmoid else logits.float().softmax(1)
        found.append((scores / scores.sum(1, keepdim=True), chosen))
    return found


@pytest.mark.parametrize("family", SPARSE)
def test_load_and_entropy_are_told_by_layer_and_band(family: str, tmp_path: Path) -> None:
    objective = an_objective(family, tmp_path, 0.0)
    shard = shard_of(*batches(1)[0])
    expected = seen_by_hooks(objective, shard)
    assert objective.routers is not None
    routing = taken(objective.routers.tally)
    late = shard.positions.flatten() >= LENGTH // 2
    assert routing.load.shape == (len(expected), 2, 4)
    for layer, (p, chosen) in enumerate(expected):
        for band, tokens in enumerate((~late, late)):
            counts = chosen[tokens].flatten().bincount(minlength=4).float()
            shares = counts / len(chosen[tokens])
            assert torch.allclose(routing.load[layer, band], shares, atol=1e-6)
            entropy = -(p[tokens] * p[tokens].log()).sum(1).mean()
            assert routing.entropy[layer, band].item() == pytest.approx(entropy.item(), rel=1e-5)
            assert routing.busiest[layer, band] == routing.load[layer, band].max()


def test_an_expert_that_all_tokens_choose_among_others_has_all_of_them() -> None:
    tally, bands = Tally(1, 64, torch.device("cpu")), torch.tensor([0, 0, 1, 1])
    tally.add_tokens(bands)
    tally.add(0, bands, torch.arange(8).expand(4, 8), torch.full((4, 64), 1 / 64))
    assert taken(tally).busiest.tolist() == [[1.0, 1.0]]


def test_a_tally_begins_anew_once_it_was_taken(tmp_path: Path) -> None:
    objective = an_objective("hunyuan_v1_moe", tmp_path)
    shard = shard_of(*batches(1)[0])
    assert objective.routers is not None
    found = []
    for passes in (1, 3):
        for _ in range(passes):
            objective(shard)
        found.append(taken(objective.routers.tally))
    assert torch.allclose(found[0].load, found[1].load)
    assert torch.allclose(found[0].entropy, found[1].entropy)


def test_what_is_computed_again_is_not_counted_twice(tmp_path: Path) -> None:
    objective = an_objective("mixtral", tmp_path, 1.0)
    objective.train()
    objective.model.activation_checkpointing_enable({"use_reentrant": False})
    shard = shard_of(*batches(1)[0])
    nll, balance = objective(shard)
    assert balance is not None
    (nll + balance).backward()
    assert objective.routers is not None
    passed = taken(objective.routers.tally).load.sum(2)
    assert torch.allclose(passed, torch.full_like(passed, 2.0))


def test_a_perfectly_balanced_router_has_the_least_loss(tmp_path: Path) -> None:
    """With equal shares and probabilities it is the number of experts that a token passes."""
    objective = an_objective("mixtral", tmp_path, 1.0)
    for module in objective.model.modules():
        if hasattr(module, "gate"):
            torch.nn.init.zeros_(module.gate.weight)
    _, balance = objective(shard_of(*batches(1)[0]))
    assert balance is not None
    assert balance.item() / ROWS == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize(
    ("family", "coefficient", "applied"),
    [
        ("mixtral", None, True),
        ("qwen3_moe", None, True),
        ("mixtral", 0.0, False),
        ("hunyuan_v1_moe", None, False),
        ("hunyuan_v1_moe", 0.1, True),
        ("deepseek_v3", 0.1, True),
    ],
)
def test_a_model_s_own_coefficient_is_applied_unless_another_is_given(
    family: str, coefficient: float | None, applied: bool, tmp_path: Path
) -> None:
    objective = an_objective(family, tmp_path, coefficient)
    assert (objective.balance_coefficient > 0) is applied
    assert (objective(shard_of(*batches(1)[0]))[1] is not None) is applied


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(SPARSE)))
def test_a_dense_model_has_no_routers(family: str, tmp_path: Path) -> None:
    assert an_objective(family, tmp_path).routers is None


def test_choices_are_counted_by_group() -> None:
    groups = torch.tensor([0, 1, 1])
    chosen = torch.tensor([[0, 2], [2, 1], [2, 0]])
    assert counted(groups, chosen, 2, 3).tolist() == [[1, 0, 1], [1, 1, 2]]


def test_what_is_measured_of_held_out_documents_is_no_load_of_the_training(
    tmp_path: Path,
) -> None:
    objective = an_objective("qwen3_moe", tmp_path, 0.5)
    shard = shard_of(*batches(1)[0])
    assert objective.routers is not None
    with objective.measuring(LossTable(1, [0, LENGTH], torch.device("cpu"))):
        _, balance = objective(shard)
    assert balance is None
    assert float(taken(objective.routers.tally).load.sum()) == 0
    _, balance = objective(shard)
    assert balance is not None
