"""Continual pre-training: every token is predicted from those before it in its document."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch

from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.sources import Node, token_folders
from lccp_trainer.data.stream import open_stream
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_tokenizer
from lccp_trainer.model.source import context_length, read_config
from lccp_trainer.objectives.head import LossHead
from lccp_trainer.objectives.routing import Routers
from lccp_trainer.objectives.sources import SourceLosses
from lccp_trainer.objectives.task import Task
from lccp_trainer.parallel import experts
from lccp_trainer.parallel.shard import Shard
from lccp_trainer.worker import Worker


class Pretraining(torch.nn.Module):
    """A causal language model with the loss that trains it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        model.set_output_embeddings(LossHead(model.get_output_embeddings()))
        self.model = model
        self.routers: Routers | None = None
        self.balance_coefficient = 0.0
        self.source_losses: SourceLosses | None = None

    def watch_sources(self, sources: int) -> None:
        """Watch the loss of each of so many sources; called once the engine stands."""
        self.source_losses = SourceLosses(sources, next(self.parameters()).device)

    def watch_routers(self, context: int, coefficient: float | None) -> None:
        """Watch the routers of a family that has them; called once the engine stands.

        Args:
            context: tokens of a row.
            coefficient: of the balancing loss; None: the one in the model's configuration, if any.
        """
        config = self.model.config
        if config.model_type not in experts.FAMILIES:
            return
        own = getattr(config, "router_aux_loss_coef", None) or 0.0
        self.balance_coefficient = own if coefficient is None else coefficient
        self.routers = Routers(self.model, context, self.balance_coefficient > 0)

    def forward(self, shard: Shard) -> tuple[torch.Tensor, torch.Tensor | None]:
        """NLL of the tokens that are predicted in `shard`, summed, in float32.

        Beside it the balancing loss of the routers, averaged over layers and summed over rows; of
        both only this process's part.
        """
        with self.routers.watching(shard) if self.routers else nullcontext():
            hidden = self.model.base_model(
                input_ids=shard.tokens,
                position_ids=shard.positions,
                documents=shard.documents,
                use_cache=False,
            ).last_hidden_state
        nll, each = self.model.get_output_embeddings()(hidden, shard.targets)
        if self.source_losses:
            self.source_losses.add(shard, each)
        if self.routers is None or self.balance_coefficient == 0:
            return nll, None
        return nll, self.routers.balance(shard.documents.group)


def pretraining(worker: Worker, alive: Callable[[], None]) -> Task:
    """The run itself.

    Args:
        alive: called while sources are made ready; what it raises ends it.
    """
    spec = worker.spec
    directory = worker.base / spec.model.source
    source_context = context_length(read_config(directory), directory)
    config = load_config(spec.model, directory)
    tokenizer = load_tokenizer(spec.model, directory, config)
    node = Node(worker.scratch, worker.local_rank == 0, alive)
    digest = tokenizer_digest(directory)
    folders = token_folders(spec.data, worker.base, lambda: tokenizer, digest, node)
    stream = open_stream(spec.data, folders, (source_context, spec.model.target_context_length))
    return Task(spec, directory, config, source_context, stream, Pretraining, extendable=True)
