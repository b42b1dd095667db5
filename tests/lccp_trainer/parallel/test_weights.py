"""The whole model's weights, by Hugging Face's names."""

from types import SimpleNamespace

import torch
from plain_engine import Bigrams, alone
from torch import nn

from lccp_trainer.parallel.weights import whole_weights


class Layer(nn.Module):
    """AutoEP's layer on one process: all experts."""

    _is_autoep_layer = True
    ep_size, ep_group = 1, None

    def __init__(self) -> None:
        super().__init__()
        sizes = {"w1": (2, 5, 3), "w2": (2, 3, 5), "w3": (2, 5, 3)}
        self.experts = nn.ParameterDict({n: nn.Parameter(torch.randn(s)) for n, s in sizes.items()})
        self.router = nn.Module()
        self.router.gate = nn.Linear(3, 2, bias=False)


def weights_of(module: nn.Module) -> dict[str, torch.Tensor]:
    with alone():
        found = whole_weights(SimpleNamespace(module=module))
    assert found is not None
    return found


def test_weights_are_copies_without_the_objectives_prefix() -> None:
    module = Bigrams()
    module.model.register_buffer("counts", torch.ones(2))

    found = weights_of(module)

    assert set(found) == {"logits", "bias", "counts"}
    assert torch.equal(found["bias"], module.model.bias)
    found["bias"].fill_(0)
    assert bool(module.model.bias.any())


def test_experts_are_fused_and_their_router_has_its_name() -> None:
    module = Bigrams()
    module.model.config.model_type = "hunyuan_v1_moe"  # type: ignore[union-attr]
    module.model.mlp = layer = Layer()

    found = weights_of(module)

    assert set(found) == {
        *("logits", "bias", "mlp.gate.wg.weight"),
        *("mlp.experts.gate_up_proj", "mlp.experts.down_proj"),
    }
    assert torch.equal(found["mlp.experts.gate_up_proj"][:, 5:], layer.experts["w3"])
    assert torch.equal(found["mlp.gate.wg.weight"], layer.router.gate.weight)
