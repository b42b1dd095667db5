"""The process groups of a layout."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch.distributed as dist
from torch.testing._internal.distributed.fake_pg import FakeStore

from lccp.cost.layout import Layout
from lccp_trainer.parallel.groups import Groups


@contextmanager
def joined(rank: int, processes: int) -> Iterator[None]:
    """Within it this process is one of several that there are not."""
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=processes)
    try:
        yield
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("rank", range(4))
def test_processes_that_share_sequences_are_neighbours(rank: int) -> None:
    layout = Layout(4, sequence_size=2)

    with joined(rank, 4):
        groups = Groups.create(layout, rank)

        assert groups.sequence is not None
        first = rank - rank % 2
        assert dist.get_process_group_ranks(groups.sequence) == [first, first + 1]
    assert (groups.layout, groups.rank) == (layout, rank)


def test_a_process_that_has_its_sequences_alone_needs_no_group() -> None:
    assert Groups.create(Layout(4), 3).sequence is None
