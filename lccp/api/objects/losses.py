"""Losses by source and position, and the positions of training tokens in their documents."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.scalars import Int64

PositionBand = Literal["within", "beyond"]
"""Positions within the source model's context, and new ones beyond it."""


class HeldOutCell(Contract):
    """The loss of one source in one band of positions."""

    source: Annotated[str, Field(description="Name of the source.")]
    band: Annotated[
        PositionBand,
        Field(description="Positions within the source model's context, or beyond it."),
    ]
    predicted_tokens: Annotated[Int64, Field(ge=1, description="Tokens that were predicted.")]
    loss: Annotated[float, Field(description="Mean NLL of a predicted token, nats.")]


class HeldOutLoss(Contract):
    """The loss of a checkpoint on documents that no step trains on."""

    tokens: Annotated[Int64, Field(ge=0, description="Tokens trained at the checkpoint.")]
    cells: Annotated[
        tuple[HeldOutCell, ...],
        Field(description="By source and position band, where anything was predicted."),
    ]

    @property
    def loss(self) -> float:
        """Mean NLL of a predicted token, over all of them, nats."""
        return mean(self.cells)


class PositionShare(Contract):
    """Share of tokens at positions from `start` to below `end` in their documents."""

    start: Annotated[Int64, Field(ge=0, description="First position.")]
    end: Annotated[Int64, Field(ge=1, description="Position after the last.")]
    share: Annotated[float, Field(ge=0, le=1, description="Of all tokens, 0 to 1.")]


def mean(cells: Iterable[HeldOutCell]) -> float:
    """Mean NLL of a predicted token over at least one cell, nats."""
    counted = [(cell.predicted_tokens, cell.loss) for cell in cells]
    return sum(tokens * loss for tokens, loss in counted) / sum(tokens for tokens, _ in counted)


def position_edges(source_context: int, row: int) -> list[int]:
    """Edges of bands: 0, the source context, and its doublings up to `row`, the last."""
    edges = [0, min(source_context, row)]
    while edges[-1] < row:
        edges.append(min(2 * edges[-1], row))
    return edges
