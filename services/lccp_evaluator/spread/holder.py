"""A process that holds a shard of a model for another one, and ends with it.

`python -m lccp_evaluator.spread.holder FD NUMBER`: it receives a `Share` from the connection FD,
then calls of the experts, whose results it adds to those of the others.
"""

from multiprocessing.connection import Connection
from typing import Any

import torch
from torch import Tensor, distributed, nn

from lccp_evaluator.model.experts import expert_layers
from lccp_evaluator.model.loading import empty_model, load_model
from lccp_evaluator.spread.orders import Form, ModelShard
from lccp_evaluator.spread.process import begin, failed
from lccp_evaluator.spread.shards import joined
from lccp_evaluator.spread.splitting import splitting

READY = "ready"


def main() -> None:
    orders, device = begin()
    try:
        share = orders.recv()
        share.plan.enter()
        orders.send(READY)
        with joined(share.plan, share.meeting, share.rank, device), torch.no_grad():
            layers = _layers(share)
            orders.send(READY)
            serve(orders, layers, torch.device(share.plan.device))
    except EOFError:
        return
    except Exception as error:
        orders.send(failed(error))


def serve(orders: "Connection[Any, Any]", layers: list[nn.Module], device: torch.device) -> None:
    """Compute this process's part of each call of the experts of `layers`."""
    while True:
        call = orders.recv()
        given = [_received(form, device) for form in call.given]
        named = {name: _received(form, device) for name, form in call.named.items()}
        layers[call.layer](*given, **named)


def _layers(share: ModelShard) -> list[nn.Module]:
    """The experts; the rest of the model is released."""
    directory, plan, trusted = share.directory, share.plan, share.trust_remote_code
    split = splitting(empty_model(directory, trusted), plan, directory)
    return expert_layers(load_model(directory, plan, trusted, split).model)


def _received(form: Form, device: torch.device) -> Tensor:
    shape, dtype = form
    tensor = torch.empty(shape, dtype=dtype, device=device)
    distributed.broadcast(tensor, 0)
    return tensor


if __name__ == "__main__":
    main()
