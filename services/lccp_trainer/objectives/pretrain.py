"""Continual pre-training: every token is predicted from those before it in its document."""

from collections.abc import Callable
from typing import Any

import torch

from lccp.store.tokenizers import tokenizer_digest
from lccp_trainer.data.sources import Node, token_folders
from lccp_trainer.data.stream import open_stream
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_tokenizer
from lccp_trainer.model.source import context_length, read_config
from lccp_trainer.objectives.head import LossHead
from lccp_trainer.objectives.task import Task
from lccp_trainer.parallel.shard import Shard
from lccp_trainer.worker import Worker


class Pretraining(torch.nn.Module):
    """A causal language model with the loss that trains it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        model.set_output_embeddings(LossHead(model.get_output_embeddings()))
        self.model = model

    def forward(self, shard: Shard) -> torch.Tensor:
        """NLL of the tokens that are predicted in `shard`, summed, in float32."""
        hidden = self.model.base_model(
            input_ids=shard.tokens,
            position_ids=shard.positions,
            documents=shard.documents,
            use_cache=False,
        ).last_hidden_state
        nll: torch.Tensor = self.model.get_output_embeddings()(hidden, shard.targets)
        return nll


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
