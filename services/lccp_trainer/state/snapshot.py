"""A copy of what a state holds, taken between two steps, so that training goes on meanwhile."""

import threading
from pathlib import Path

import torch

from lccp_trainer.parallel.pieces import Piece
from lccp_trainer.state.files import Part, write_file


class Snapshot:
    """Host memory for one copy, page-locked beside a GPU; it is used again for every state."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self._free.set()
        self._memory = torch.empty(0)

    def take(self, pieces: list[Piece]) -> list[Part]:
        """Copy the values of `pieces`; waits until the copy before has been written."""
        self._free.wait()
        self._free.clear()
        self._grow(sum(len(value) for piece in pieces for value in piece.values.values()))
        parts, start = [], 0
        for piece in pieces:
            for kind, value in piece.values.items():
                copy = self._memory[start : start + len(value)]
                parts.append(Part(kind, piece.name, piece.start, copy))
                copy.copy_(value, non_blocking=True)
                start += len(value)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return parts

    def write(self, parts: list[Part], path: Path) -> None:
        """Write what was taken, and free the memory for the next."""
        try:
            write_file(parts, path)
        finally:
            self._free.set()

    def _grow(self, elements: int) -> None:
        if len(self._memory) < elements:
            self._memory = torch.empty(elements, pin_memory=torch.cuda.is_available())
