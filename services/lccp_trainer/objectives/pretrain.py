"""Continual pre-training: every token is predicted from those before it in its document."""

from typing import Any

import torch

from lccp_trainer.objectives.head import LossHead
from lccp_trainer.parallel.shard import Shard


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
