"""The part of a micro batch that one process computes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lccp.cost.layout import StepShape
from lccp_trainer.data.stream import Batch
from lccp_trainer.parallel.attention import DocumentLayout
from lccp_trainer.parallel.groups import Groups

IGNORED = -100
"""Target of a token whose successor is not predicted."""


@dataclass(frozen=True, eq=False)
class Shard:
    """A process's part of a micro batch; tensors are [rows, own tokens]."""

    tokens: torch.Tensor
    targets: torch.Tensor
    """The token that follows each token, or IGNORED where a document ends."""
    positions: torch.Tensor
    """Positions within the whole document, whichever processes hold it; 0 at its start."""
    documents: DocumentLayout
    sources: torch.Tensor | None = None
    """Number of each token's source; None: there is one source."""


def shards(batch: Batch, shape: StepShape, groups: Groups, device: torch.device) -> list[Shard]:
    """The shards of this process in a step, one per micro batch; `batch` holds only its rows."""
    columns = shape.columns(groups.rank)

    def own(values: NDArray[np.int32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values[:, columns])).long().to(device)

    found = []
    for rows in shape.micro_batches():
        tokens, positions = batch.tokens[rows], batch.positions[rows]
        documents = DocumentLayout(document_lengths(positions), groups.sequence)
        predicted = None if batch.predicted is None else batch.predicted[rows]
        targets = own(following(tokens, positions, predicted))
        sources = None if batch.sources is None else own(batch.sources[rows])
        found.append(Shard(own(tokens), targets, own(positions), documents, sources))
    return found


def following(
    tokens: NDArray[np.int32],
    positions: NDArray[np.int32],
    predicted: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """The token after each, or IGNORED where its document ends; all are [rows, length].

    Args:
        predicted: tokens that count; the others are IGNORED too.
    """
    targets = np.full_like(tokens, IGNORED)
    counts = positions[:, 1:] != 0
    if predicted is not None:
        counts &= predicted[:, 1:]
    targets[:, :-1] = np.where(counts, tokens[:, 1:], IGNORED)
    return targets


def document_lengths(positions: NDArray[np.int32]) -> tuple[tuple[int, ...], ...]:
    """Tokens of each document, by row, from positions [rows, length] that restart with each."""
    found = []
    for row in positions:
        starts = np.flatnonzero(row == 0)
        starts = starts if len(starts) and starts[0] == 0 else np.array([0, *starts])
        found.append(tuple(np.diff([*starts, len(row)]).tolist()))
    return tuple(found)
