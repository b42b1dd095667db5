"""Joins the processes of an attempt: devices, collectives, and a key-value store beside them."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import deepspeed
import deepspeed.ops
import torch
import torch.distributed as dist

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput


def join_process_group(spec: LCCPRunSpec, local_rank: int) -> torch.device:
    """Join the processes of the attempt; returns the device that this process computes on.

    On a CPU the backend is gloo. DeepSpeed's shared-memory kernel, which is not needed and would be
    compiled on first use, is disabled.
    """
    accelerated = spec.topology.accelerator_resource_name is not None
    if accelerated and not torch.cuda.is_available():
        raise InvalidInput(
            "topology.acceleratorResourceName: "
            f"{spec.topology.accelerator_resource_name} is requested, but none is visible here"
        )
    if accelerated:
        torch.cuda.set_device(local_rank)
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    backend, timeout = "nccl" if accelerated else "gloo", _longest_wait(spec)
    deepspeed.init_distributed(backend, timeout=timeout, verbose=False)
    return torch.device("cuda", local_rank) if accelerated else torch.device("cpu")


def rendezvous_store(spec: LCCPRunSpec) -> Any:
    """torchrun's key-value store, for ranks to exchange facts outside the order of collectives."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(  # type: ignore[attr-defined]
        host, port, is_master=False, timeout=_longest_wait(spec)
    )
    return dist.PrefixStore("lccp", store)  # type: ignore[attr-defined]


def _longest_wait(spec: LCCPRunSpec) -> timedelta:
    """For other ranks, beyond the watchdog's limit: it must find a hang first, to write stacks."""
    return timedelta(seconds=spec.trained.hang_timeout_seconds + 300)


@dataclass(frozen=True)
class Shared:
    """Shares values that rank 0 finds for all ranks, by torchrun's key-value store."""

    rank: int
    facts: Any

    def __call__(self, name: str, by_rank_0: Callable[[], Any]) -> Any:
        """The value that `by_rank_0` returns on rank 0; `name` is used once in an attempt."""
        if self.rank == 0:
            self.facts.set(name, json.dumps(by_rank_0()))
        return json.loads(self.facts.get(name))
