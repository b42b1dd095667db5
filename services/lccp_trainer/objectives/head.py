"""The language-model head that computes the loss of tokens without holding all their logits."""

from typing import Any

import torch
from torch.nn.functional import linear, log_softmax

from lccp.cost.memory import CHUNK_LOGITS
from lccp_trainer.parallel.shard import IGNORED


class LossHead(torch.nn.Module):
    """A model's head, with its weight. Without targets it gives logits; with them, the loss."""

    def __init__(self, head: torch.nn.Linear, chunk_logits: int = CHUNK_LOGITS) -> None:
        super().__init__()
        self.weight, self.bias = head.weight, head.bias
        self.chunk_logits = chunk_logits

    def forward(self, hidden: torch.Tensor, targets: torch.Tensor | None = None) -> Any:
        """Logits; or in float32 the NLL of `targets`, summed, and the NLL of each [rows, length].

        The NLL of each has no gradient. Where gradients are off, neither has.

        Args:
            hidden: [rows, length, hidden size].
            targets: token ids [rows, length]; IGNORED ones don't count.
        """
        if targets is None:
            return linear(hidden, self.weight, self.bias)
        tokens = max(1, self.chunk_logits // self.weight.shape[0])
        parts = (hidden.flatten(0, 1), self.weight, self.bias)
        if not torch.is_grad_enabled():
            sweep = _Sweep(*parts, gradients=False, trained=False)
            sweep.run(targets.flatten(), tokens)
            return sweep.nll, sweep.each.view_as(targets)
        summed, each = _SummedNll.apply(*parts, targets.flatten(), tokens)  # type: ignore[no-untyped-call]
        return summed, each.view_as(targets)


class _SummedNll(torch.autograd.Function):
    """Head and cross-entropy in chunks of tokens; gradients are computed in the same sweep."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        chunk: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        sweep = _Sweep(hidden, weight, bias, gradients=True, trained=ctx.needs_input_grad[1])
        sweep.run(targets, chunk)
        ctx.dtypes = (weight.dtype, None if bias is None else bias.dtype)
        ctx.save_for_backward(sweep.of_hidden, sweep.of_weight, sweep.of_bias)
        ctx.mark_non_differentiable(sweep.each)
        return sweep.nll, sweep.each

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor, _: Any) -> tuple[torch.Tensor | None, ...]:
        of_hidden, of_weight, of_bias = ctx.saved_tensors
        weight_dtype, bias_dtype = ctx.dtypes
        bias = None if of_bias is None else (of_bias * scale).to(bias_dtype)
        weight = None if of_weight is None else of_weight.mul_(scale).to(weight_dtype)
        return of_hidden.mul_(scale.to(of_hidden.dtype)), weight, bias, None, None


class _Sweep:
    """Loss and gradients, summed over chunks.

    Args:
        gradients: whether to compute any; without them it takes a third of the time.
        trained: whether the head's are among them.
    """

    def __init__(
        self,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        gradients: bool,
        trained: bool,
    ) -> None:
        self._hidden, self._weight, self._bias = hidden, weight, bias
        self.nll = hidden.new_zeros((), dtype=torch.float32)
        self.each = hidden.new_empty(len(hidden), dtype=torch.float32)
        self.of_hidden = torch.empty_like(hidden) if gradients else None
        self.of_weight = torch.zeros_like(weight, dtype=torch.float32) if trained else None
        self.of_bias = None
        if trained and bias is not None:
            self.of_bias = torch.zeros_like(bias, dtype=torch.float32)

    def run(self, targets: torch.Tensor, chunk: int) -> None:
        for start in range(0, len(targets), chunk):
            self._add(slice(start, start + chunk), targets[start : start + chunk])

    def _add(self, tokens: slice, targets: torch.Tensor) -> None:
        hidden, counted = self._hidden[tokens], (targets != IGNORED)[:, None]
        target = targets[:, None].clamp(min=0)
        log_probabilities = log_softmax(linear(hidden, self._weight, self._bias).float(), dim=1)
        self.each[tokens] = -(log_probabilities.gather(1, target) * counted).squeeze(1)
        self.nll += self.each[tokens].sum()
        if self.of_hidden is None:
            return
        of_logits = log_probabilities.exp_()
        of_logits.scatter_add_(1, target, of_logits.new_full(target.shape, -1))
        of_logits.mul_(counted)
        if self.of_bias is not None:
            self.of_bias += of_logits.sum(0)
        of_logits = of_logits.to(hidden.dtype)
        self.of_hidden[tokens] = of_logits @ self._weight
        if self.of_weight is not None:
            self.of_weight += of_logits.T @ hidden
