"""One process of attention over shared sequences: its differences from one process alone.

    shared_attention.py FOLDER PROCESSES RANK

writes the largest difference of an output or gradient of every case to FOLDER/RANK.
"""

import sys
from pathlib import Path
from unittest.mock import patch

import torch
import torch.distributed as dist

from lccp_trainer.parallel import sharing
from lccp_trainer.parallel.attention import DocumentLayout, attention

LENGTH, HEADS, SIZE = 24, 12, 8
CASES = [
    (((5, 18, 1), (24,)), HEADS, SIZE),
    (((6, 6, 12), (12, 6, 6)), 4, SIZE),
    (((24,), (24,)), 2, 6),
    (((1,) * LENGTH, (11, 13)), HEADS, SIZE),
    (((6, 6, 6, 6), (12, 12)), 1, SIZE),
]
"""Tokens of documents, by row; heads of keys and values; size of a value."""
LONGEST_ALONE = (LENGTH, 5, 0)
"""Most tokens of a document that one process attends to alone."""


def difference(
    lengths: tuple[tuple[int, ...], ...], key_heads: int, value_size: int, rank: int, processes: int
) -> float:
    generator, rows = torch.Generator().manual_seed(0), len(lengths)
    shapes = [(HEADS, SIZE), (key_heads, SIZE), (key_heads, value_size)]
    whole = [torch.randn(rows, h, LENGTH, s, generator=generator) for h, s in shapes]
    weights = torch.randn(rows, LENGTH, HEADS, value_size, generator=generator)
    part = LENGTH // processes
    mine = slice(rank * part, (rank + 1) * part)
    own = [each[:, :, mine].clone().requires_grad_() for each in whole]
    for each in whole:
        each.requires_grad_()
    expected = _output(whole, DocumentLayout(lengths), weights)[:, mine]
    found = _output(own, DocumentLayout(lengths, dist.group.WORLD), weights[:, mine])
    pairs = [(found, expected)]
    pairs += [(a.grad, b.grad[:, :, mine]) for a, b in zip(own, whole, strict=True)]
    return max(float((a - b).abs().max()) for a, b in pairs)


def _output(
    parts: list[torch.Tensor], documents: DocumentLayout, weights: torch.Tensor
) -> torch.Tensor:
    output, _ = attention(torch.nn.Module(), *parts, None, documents=documents, scaling=0.3)
    (output * weights).sum().backward()
    return output.detach()


def main(folder: Path, processes: int, rank: int) -> None:
    store = dist.FileStore(str(folder / "meeting"), processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes)
    worst = 0.0
    for most in LONGEST_ALONE:
        with patch.object(sharing, "ALONE_TOKENS_MAX", most):
            worst = max(worst, *(difference(*case, rank, processes) for case in CASES))
    (folder / str(rank)).write_text(str(worst))
    dist.barrier()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
