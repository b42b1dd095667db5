"""The process groups of a layout."""

from dataclasses import dataclass
from typing import Self

import torch.distributed as dist

from lccp.cost.layout import Layout


@dataclass(frozen=True)
class Groups:
    """This process's place in the layout, and the group with which it exchanges tokens."""

    layout: Layout
    rank: int
    sequence: dist.ProcessGroup | None
    """Processes that share this one's sequences; None: it shares them with none."""

    @classmethod
    def create(cls, layout: Layout, rank: int) -> Self:
        """Create the groups. Called on every process: each takes part in creating every group."""
        own = None
        if layout.sequence_size > 1:
            for ranks in layout.sequence_groups():
                group = dist.new_group(list(ranks))
                own = group if rank in ranks else own
        return cls(layout, rank, own)
