"""A model that several devices share.

If it has experts, they are in several processes, and this one computes everything else. When
experts are called, the other processes (`holder`) receive the call's arguments, each computes its
part of the experts' width, and the parts are added up. So no code for a model, its attention, its
cache or watched heads needs to know about the other processes.

Otherwise this process computes all of it, with its layers on several devices (`placing`).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, distributed, nn
from transformers.distributed.configuration_utils import DistributedConfig

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.experts import expert_layers
from lccp_evaluator.model.loading import Loaded, empty_model, load_model
from lccp_evaluator.spread.orders import ExpertCall, Form, ModelShard
from lccp_evaluator.spread.placing import placing
from lccp_evaluator.spread.process import Process
from lccp_evaluator.spread.splitting import splitting

HOLDER = "lccp_evaluator.spread.holder"
GRACE_SECONDS = 2.0
"""Time for a process whose connection broke to be recognized as ended."""


@contextmanager
def loaded(directory: Path, plan: ExecutionPlan, trust_remote_code: bool) -> Iterator[Loaded]:
    """The model in `directory`, in the plan's shards; their processes end with it.

    Raises:
        InvalidInput: as `load_model` and `placing`; or there are too few devices.
        ProcessLost: a process that holds a shard ended.
    """
    if plan.shards == 1:
        yield load_model(directory, plan, trust_remote_code)
        return
    empty = empty_model(directory, trust_remote_code)
    device, split = _first_device(plan), splitting(empty, plan, directory)
    if split is None:
        where = placing(empty, devices_of(plan, device, directory))
        yield load_model(directory, plan, trust_remote_code, placing=where)
        return
    with _held(directory, plan, trust_remote_code, device, split) as found:
        yield found


@contextmanager
def _held(
    directory: Path,
    plan: ExecutionPlan,
    trust_remote_code: bool,
    device: int,
    split: DistributedConfig,
) -> Iterator[Loaded]:
    """The model, with its experts split over this process and others."""
    names = [f"shard {rank} of the model's {plan.shards} (0 leads)" for rank in range(plan.shards)]
    holders = [Process(HOLDER, device + n, names[n]) for n in range(1, plan.shards)]
    scratch = TemporaryDirectory(prefix="lccp-")
    meeting = Path(scratch.name) / "meeting"
    try:
        for rank, holder in enumerate(holders, start=1):
            holder.tell(ModelShard(directory, plan, trust_remote_code, rank, meeting))
        for holder in holders:
            holder.answer()  # it has started
        with _first_error_of(holders), joined(plan, meeting, 0, device):
            found = load_model(directory, plan, trust_remote_code, split)
            for holder in holders:
                holder.answer()  # it has loaded its shard
            for number, layer in enumerate(expert_layers(found.model)):
                layer.register_forward_pre_hook(_teller(number, holders), with_kwargs=True)
            yield found
    finally:
        for holder in holders:
            holder.end()
        scratch.cleanup()


@contextmanager
def joined(plan: ExecutionPlan, meeting: Path, rank: int, device: int) -> Iterator[None]:
    """All processes of a model as one group; this one is `rank`, on the device `device`."""
    os.environ["LOCAL_RANK"] = str(device)  # transformers takes the device from it
    backend = "nccl" if plan.device == "cuda" else "gloo"
    where = meeting.absolute().as_uri()
    distributed.init_process_group(backend, init_method=where, rank=rank, world_size=plan.shards)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def form(tensor: Tensor) -> Form:
    """What another process needs in order to receive `tensor`."""
    return tensor.shape, tensor.dtype


def _first_device(plan: ExecutionPlan) -> int:
    there = torch.cuda.device_count()
    if plan.device == "cpu":
        if there:
            raise InvalidInput(
                "--device: a model is not split over processes of a CPU where there are CUDA "
                "devices: hide them (CUDA_VISIBLE_DEVICES=), or leave it out"
            )
        return 0
    first = torch.cuda.current_device()
    if first + plan.shards > there:
        raise InvalidInput(
            f"a model in {plan.shards} shards needs as many devices, but this machine has {there}: "
            "lower evaluation.shards (--shards)"
        )
    return first


def devices_of(plan: ExecutionPlan, first: int, directory: Path) -> list[str]:
    """The devices that share a model layer by layer."""
    if plan.device == "cpu":
        raise InvalidInput(
            f"{directory}: has no experts that {plan.shards} processes of a CPU could share: leave "
            "evaluation.shards (--shards) out, or give 1"
        )
    return [f"cuda:{number}" for number in range(first, first + plan.shards)]


def _teller(number: int, holders: list[Process]) -> Callable[..., None]:
    def tell(_module: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        call = ExpertCall(
            number, list(map(form, given)), {name: form(named[name]) for name in named}
        )
        for holder in holders:
            holder.tell(call)
        for tensor in (*given, *named.values()):
            distributed.broadcast(tensor.contiguous(), 0)

    return tell


@contextmanager
def _first_error_of(holders: list[Process]) -> Iterator[None]:
    """Raise the error of a failed holder instead of its consequence in this process."""
    try:
        yield
    except Exception:
        ended: list[Any] = wait([holder.orders for holder in holders], GRACE_SECONDS)
        for holder in holders:
            if holder.orders in ended:
                holder.answer()
        raise
