"""Continual pre-training: every token is predicted from those before it in its document."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from lccp.api.objects.losses import position_edges
from lccp.api.run import LCCPRunSpec
from lccp.inputs.ranges import reader
from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.sources import NodeGroup, token_folders
from lccp_trainer.data.stream import DataStream, open_stream
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_tokenizer
from lccp_trainer.model.source import context_length, read_config
from lccp_trainer.objectives.head import LossHead
from lccp_trainer.objectives.held_out import HeldOut
from lccp_trainer.objectives.losses import LossTable
from lccp_trainer.objectives.meters import Meter
from lccp_trainer.objectives.routing import Routers
from lccp_trainer.objectives.task import Task
from lccp_trainer.parallel import experts
from lccp_trainer.parallel.shard import Shard
from lccp_trainer.worker import Worker

logger = logging.getLogger(__name__)

FORWARD_SHARE = 1 / 3
"""The forward pass's share of a step's time: the backward pass takes twice as long."""


class Pretraining(torch.nn.Module):
    """A causal language model with the loss that trains it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        model.set_output_embeddings(LossHead(model.get_output_embeddings()))
        self.model = model
        self.routers: Routers | None = None
        self.balance_coefficient = 0.0
        self.losses: LossTable | None = None

    def watch_losses(self, sources: int, source_context: int, row: int) -> None:
        """Watch the loss of each source, by position; called once the engine is built."""
        edges = position_edges(source_context, row)
        self.losses = LossTable(sources, edges, next(self.parameters()).device)

    def watch_routers(self, context: int, coefficient: float | None) -> None:
        """Watch the routers of a family that has them; called once the engine is built.

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

    @property
    def meters(self) -> list[Meter]:
        """What a step adds up, besides its loss."""
        of_routers = [self.routers.tally] if self.routers else []
        return [*([self.losses] if self.losses else []), *of_routers]

    @contextmanager
    def measuring(self, losses: LossTable) -> Iterator[None]:
        """Within it passes train nothing: they are counted only in `losses`."""
        kept, self.losses = self.losses, losses
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.losses = kept
            self.train()

    def forward(self, shard: Shard) -> tuple[torch.Tensor, torch.Tensor | None]:
        """NLL of the tokens predicted in `shard`, summed, in float32; and the balancing loss.

        The routers' balancing loss is averaged over layers and summed over rows. Both are only
        this process's part.
        """
        routers = self.routers if self.training else None
        with routers.watching(shard) if routers else nullcontext():
            hidden = self.model.base_model(
                input_ids=shard.tokens,
                position_ids=shard.positions,
                documents=shard.documents,
                use_cache=False,
            ).last_hidden_state
        nll, each = self.model.get_output_embeddings()(hidden, shard.targets)
        if self.losses:
            self.losses.add(shard, each)
        if routers is None or self.balance_coefficient == 0:
            return nll, None
        return nll, routers.balance(shard.documents.group)


def pretraining(worker: Worker, alive: Callable[[], None]) -> Task:
    """The run itself, or a branch of it.

    Args:
        alive: called while sources are prepared; an exception that it raises ends that.
    """
    spec = worker.spec
    directory = worker.base / spec.model.source
    source_context = context_length(read_config(directory), directory)
    config = load_config(spec.model, directory)
    tokenizer = load_tokenizer(spec.model, directory, config)
    node = NodeGroup(worker.scratch, worker.local_rank == 0, alive)
    digest = tokenizer_digest(directory)
    folders = token_folders(spec.mixture, worker.base, lambda: tokenizer, digest, node)
    lengths = source_context, spec.model.target_context_length
    in_bucket = partial(reader, worker.invocation.store)
    stream = replace(
        open_stream(spec.mixture, folders, lengths, in_bucket),
        vocabulary=config.get_text_config().vocab_size,
    )
    return Task(
        spec=spec,
        directory=directory,
        config=config,
        source_context=source_context,
        stream=stream,
        module=Pretraining,
        extendable=worker.invocation.branch is None,
        held_out=_held_out(spec, stream, source_context) if spec.mixture.held_out_tokens else None,
    )


def _held_out(spec: LCCPRunSpec, stream: DataStream, source_context: int) -> HeldOut:
    held_out = HeldOut(stream.names, stream.shards, stream.held_out(), source_context)
    checkpoints = len(spec.checkpoints.due(spec.trained.tokens))
    computed = checkpoints * len(held_out.rows) * stream.packing.row_tokens
    logger.info(
        "held out: %d documents, %d tokens, measured in %d rows at each of %d checkpoints: some "
        "%.1f %% of the time of the training",
        held_out.documents,
        held_out.tokens,
        len(held_out.rows),
        checkpoints,
        100 * FORWARD_SHARE * computed / spec.trained.tokens,
    )
    return held_out
