"""Fused attention that also tells each row's logarithm of its sum of exponentials.

`scaled_dot_product_attention` keeps that logarithm to itself; these are the operators beneath it,
which torch's own context parallelism joins in the same way. They are linear in memory.
"""

import torch
from torch import Tensor
from torch.nn import functional

MULTIPLE = 8
"""Of which CUDA's kernels want the head size to be a multiple."""
FLASH_HEAD_SIZE = 256


def have(query: Tensor) -> bool:
    """Whether there is a kernel for `query`."""
    return query.device.type in ("cpu", "cuda") and query.dtype.is_floating_point


def fused(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, is_causal: bool
) -> tuple[Tensor, Tensor]:
    """Output [H, R, Dv] in float32, and log of the sum of exponentials [H, R], also in float32.

    `query` [H, R, D], `key` [H, N, D], `value` [H, N, Dv]; with `is_causal`, R equals N.
    """
    rows, size = query.shape[1], value.shape[-1]
    wide = max(key.shape[-1], size)
    wide += -wide % MULTIPLE if query.device.type == "cuda" else 0
    query, key, value = (
        functional.pad(one, (0, wide - one.shape[-1]))[None] for one in (query, key, value)
    )
    if query.device.type == "cpu":
        output, log_sum = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, is_causal, scale=scaling
        )
    elif query.dtype != torch.float32 and wide <= FLASH_HEAD_SIZE:
        output, log_sum, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, is_causal, scale=scaling
        )
    else:
        output, log_sum, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, None, True, 0.0, is_causal, scale=scaling
        )
    return output[0, :, :, :size].float(), log_sum[0, :, :rows].float()
