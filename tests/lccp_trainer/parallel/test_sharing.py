import os
import subprocess
import sys
from pathlib import Path

import pytest
import shared_attention
import torch

from lccp_trainer.parallel.sharing import ALONE_TOKENS_MAX, Piece, divisible, pieces_of


def test_each_process_holds_its_part_of_every_row() -> None:
    assert pieces_of(((5, 18, 1), (12, 12)), 2) == [
        [Piece(0, 5, False), Piece(1, 7, True), Piece(3, 12, False)],
        [Piece(1, 11, True), Piece(2, 1, False), Piece(4, 12, False)],
    ]


def test_a_document_may_lie_over_more_than_two_processes() -> None:
    assert pieces_of(((1, 10, 1),), 4) == [
        [Piece(0, 1, False), Piece(1, 2, True)],
        [Piece(1, 3, True)],
        [Piece(1, 3, True)],
        [Piece(1, 2, True), Piece(2, 1, False)],
    ]


def test_a_long_document_is_shared_though_one_process_holds_all_of_it() -> None:
    short, long = ALONE_TOKENS_MAX, ALONE_TOKENS_MAX + 1
    assert pieces_of(((short, long, long, short),), 2) == [
        [Piece(0, short, False), Piece(1, long, True)],
        [Piece(2, long, True), Piece(3, short, False)],
    ]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 3, 4])
def test_outputs_and_gradients_are_those_of_one_process(tmp_path: Path, processes: int) -> None:
    """Also where some of the processes share no document, or none does."""
    environ = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, shared_attention.__file__, str(tmp_path), str(processes)]
    started = [subprocess.Popen([*command, str(rank)], env=environ) for rank in range(processes)]
    assert [one.wait() for one in started] == [0] * processes
    found = [float((tmp_path / str(rank)).read_text()) for rank in range(processes)]
    assert max(found) < 5e-6


@pytest.mark.parametrize(("heads", "processes", "after"), [(2, 4, 4), (4, 2, 4), (2, 3, 6)])
def test_key_heads_are_repeated_until_they_divide(heads: int, processes: int, after: int) -> None:
    repeated = divisible(torch.arange(heads, dtype=torch.float32)[None, :, None], processes)
    times = after // heads
    assert repeated.flatten().tolist() == [h for h in range(heads) for _ in range(times)]
