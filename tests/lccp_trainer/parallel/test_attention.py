from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel import attention as module
from lccp_trainer.parallel.attention import DocumentLayout, attention

ROWS, HEADS, LENGTH, SIZE = 2, 4, 24, 8
PACKED = ((5, 18, 1), (24,))


def inputs(key_heads: int = HEADS, value_size: int = SIZE) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = [(HEADS, SIZE), (key_heads, SIZE), (key_heads, value_size)]
    return [torch.randn(ROWS, h, LENGTH, s, generator=generator) for h, s in shapes]


def masked(query: Any, key: Any, value: Any, lengths: Any, scaling: float) -> torch.Tensor:
    """Attention of all rows at once, under a mask of length x length."""
    rows = []
    for row in lengths:
        document = torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row))
        rows.append((document[:, None] == document[None]).tril())
    mask = torch.stack(rows)[:, None]
    grouped = key.shape[1] != query.shape[1]
    found = scaled_dot_product_attention(query, key, value, mask, scale=scaling, enable_gqa=grouped)
    return found.transpose(1, 2)


@pytest.mark.parametrize("lengths", [PACKED, ((24,), (24,)), ((1,) * 24, (12, 12))])
@pytest.mark.parametrize(("key_heads", "value_size"), [(HEADS, SIZE), (2, SIZE), (HEADS, 6)])
def test_documents_are_isolated_as_by_a_mask(
    lengths: tuple[tuple[int, ...], ...], key_heads: int, value_size: int
) -> None:
    parts = inputs(key_heads, value_size)
    found, weights = attention(
        torch.nn.Module(), *parts, None, documents=DocumentLayout(lengths), scaling=0.3
    )
    assert weights is None
    assert torch.allclose(found, masked(*parts, lengths, 0.3), atol=1e-6)


class Computed(TorchDispatchMode):
    """Counts the elements of the results of operations."""

    elements = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), how: Any = None
    ) -> Any:
        result = operation(*args, **(how or {}))
        found = result if isinstance(result, tuple | list) else [result]
        self.elements += sum(part.numel() for part in found if isinstance(part, torch.Tensor))
        return result


def computed_for(lengths: tuple[tuple[int, ...], ...]) -> int:
    """Elements that attention over documents of these lengths and its gradients compute."""
    parts = [part.requires_grad_() for part in inputs()]
    with Computed() as computed:
        found, _ = attention(
            torch.nn.Module(), *parts, None, documents=DocumentLayout(lengths), scaling=0.3
        )
        found.sum().backward()
    return computed.elements


def test_work_does_not_grow_with_the_number_of_documents() -> None:
    few, many = computed_for(((12, 12),) * ROWS), computed_for(((1,) * LENGTH,) * ROWS)
    assert many < 1.5 * few


def test_gradients_are_those_of_a_mask() -> None:
    found, expected = ([part.requires_grad_() for part in inputs()] for _ in range(2))
    within, _ = attention(
        torch.nn.Module(), *found, None, documents=DocumentLayout(PACKED), scaling=0.3
    )
    within.square().sum().backward()
    masked(*expected, PACKED, 0.3).square().sum().backward()
    for own, other in zip(found, expected, strict=True):
        assert torch.allclose(own.grad, other.grad, atol=1e-5)


def test_a_model_that_does_not_say_where_documents_begin_is_refused() -> None:
    """StableLM's layers, among others, hand nothing of it to attention."""
    with pytest.raises(InvalidInput, match=r"^model\.source: Module is not told where documents"):
        attention(torch.nn.Module(), *inputs(), None, scaling=1)


def test_a_model_with_a_mask_of_its_own_is_refused() -> None:
    """Doge's layers choose keys by one."""
    layout, mask = DocumentLayout(PACKED), torch.zeros(ROWS, 1, LENGTH, LENGTH)
    with pytest.raises(InvalidInput, match=r"^model\.source: .* with attention_mask, which is not"):
        attention(torch.nn.Module(), *inputs(), mask, documents=layout, scaling=1)


def test_a_model_that_asks_for_another_attention_is_refused() -> None:
    """Those of gpt-oss have a learned sink in every head."""
    layout, sinks = DocumentLayout(PACKED), torch.zeros(HEADS)
    with pytest.raises(InvalidInput, match=r"^model\.source: Module asks for attention with s_aux"):
        attention(torch.nn.Module(), *inputs(), None, documents=layout, scaling=1, s_aux=sinks)


@pytest.mark.parametrize(
    ("on_gpu", "dtype", "value_size", "told"),
    [
        (False, torch.float32, SIZE, "needs a GPU of compute capability 8.0 or higher"),
        (True, torch.float32, SIZE, "needs training.precision BF16"),
        (True, torch.bfloat16, 6, "needs heads whose keys and values have one size, of at most "),
    ],
)
def test_the_log_says_once_how_documents_are_computed(
    on_gpu: bool,
    dtype: torch.dtype,
    value_size: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "has_packed_kernel", lambda device: on_gpu)
    module.tell_kernel.cache_clear()
    parts = [part.to(dtype) for part in inputs(value_size=value_size)]
    with caplog.at_level("INFO"):
        for _ in range(2):
            attention(torch.nn.Module(), *parts, None, documents=DocumentLayout(PACKED), scaling=1)
    (message,) = caplog.messages
    assert message.startswith("attention: one document at a time, since the variable-length ")
    assert told in message


def test_the_packed_kernel_is_asked_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel needs a GPU: here its contract is played by attention, sequence by sequence."""
    from torch.nn.attention import varlen

    def kernel(
        query: Any, key: Any, value: Any, ends: Any, ends_of_keys: Any, *longest: int, **how: Any
    ) -> torch.Tensor:
        assert how["window_size"] == (-1, 0)
        assert (ends.dtype, longest) == (torch.int32, (24, 24))
        assert torch.equal(ends, ends_of_keys)
        found = []
        for start, end in zip(ends.tolist(), ends.tolist()[1:], strict=False):
            q, k, v = (t[start:end].transpose(0, 1)[None] for t in (query, key, value))
            grouped = how["enable_gqa"]
            found.append(
                scaled_dot_product_attention(
                    q, k, v, is_causal=True, scale=how["scale"], enable_gqa=grouped
                )[0].transpose(0, 1)
            )
        return torch.cat(found)

    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    parts = inputs(key_heads=2)
    found = module.packed(*parts, PACKED, 0.3)
    assert torch.allclose(found, masked(*parts, PACKED, 0.3), atol=1e-6)


def test_no_packed_kernel_runs_on_a_cpu() -> None:
    assert not module.has_packed_kernel(torch.device("cpu"))
