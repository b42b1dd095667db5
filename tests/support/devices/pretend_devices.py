"""Devices that do not exist: their tensors are a CPU's, but refuse to be mixed.

Inside `pretend_devices`, a tensor that is sent to or made on `pretend:N` says that it is there, and
an operation on tensors of several devices raises `Mixed`, as CUDA would refuse it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

MOVES = ("_to_copy", "copy_")
INDEXES = ("index", "index_put_")
KIND = "pretend"
CPU = torch.device("cpu")


class _Hook(backend_registration._DummyPrivateUse1Hook):
    def is_available(self) -> bool:
        return False


class _Module(backend_registration._DummyBackendModule):
    """No other code of this process finds the devices."""

    def is_available(self) -> bool:
        return False

    def device_count(self) -> int:
        return 0


backend_registration._setup_privateuseone_for_python_backend(KIND, _Module(), _Hook())


class Mixed(AssertionError):
    """An operation on tensors of several devices."""


class Placed(Tensor):
    """The tensor `held`, which claims to be on `device`."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor, device: torch.device) -> "Placed":
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=device
        )

    def __init__(self, held: Tensor, device: torch.device) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


@contextmanager
def pretend_devices() -> Iterator[None]:
    """While inside, operations respect devices that do not exist."""
    with _Made(), _Dispatched():
        yield


class _Made(TorchFunctionMode):
    """Makes tensors of lists of numbers, which torch does where the other mode does not see it."""

    def __torch_function__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and (device := kwargs.pop("device", None)):
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The result of `func`, on the device where CUDA would leave it. Raises Mixed."""
    name = func.overloadpacket.__name__
    given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    asked = kwargs.get("device")
    target = None if asked is None else torch.device(asked)
    device = target or _device(name, given)
    if target is not None and target.type == KIND:
        kwargs = kwargs | {"device": CPU}
    args, kwargs = tree_map_only(Placed, lambda one: one.held, (args, kwargs))
    result = func(*args, **kwargs)
    if name.endswith("_"):  # it has changed its first argument
        return given[0]
    if device.type != KIND or name == "_local_scalar_dense":
        return result
    return tree_map_only(Tensor, lambda one: Placed(one, device), result)


def _device(name: str, given: list[Tensor]) -> torch.device:
    """Where the result is."""
    if not given:
        return CPU
    if name in MOVES or (name in INDEXES and all(one.device == CPU for one in given[1:])):
        return given[0].device
    devices = {one.device for one in given if one.ndim or one.device != CPU}
    if len(devices) > 1:
        raise Mixed(f"{name}: {sorted(map(str, devices))}")
    return devices.pop() if devices else CPU
