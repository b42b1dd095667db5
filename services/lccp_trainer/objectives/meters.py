"""Numbers that every process adds up by itself, and that are summed over all processes together."""

import torch
import torch.distributed as dist


class Meter:
    """Sums of this process, and those of all processes up to the last exchange."""

    def __init__(self, elements: int, device: torch.device) -> None:
        self._own = torch.zeros(elements, dtype=torch.float64, device=device)
        self._total = torch.zeros(elements, dtype=torch.float64)

    def give(self) -> torch.Tensor:
        """What this process added up since the last call: [elements], float64."""
        given = self._own.clone()
        self._own.zero_()
        return given

    def receive(self, sums: torch.Tensor) -> None:
        """Add what all processes gave: [elements], on the CPU."""
        self._total += sums

    def exchange(self) -> None:
        """Sum what all processes give, by itself. Called on every process."""
        sums = self.give()
        if dist.is_initialized():
            dist.all_reduce(sums)
        self.receive(sums.cpu())

    def _taken(self) -> torch.Tensor:
        """What was received since the last call."""
        taken, self._total = self._total, torch.zeros_like(self._total)
        return taken
