"""The processes of an attempt, joined: devices, collectives, and a store of keys beside them."""

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
    """Join the processes of the attempt; the device that this one computes on.

    On a CPU the backend is gloo, and DeepSpeed's shared-memory kernel, which would be compiled on
    first use and is not needed, is opted out of.
    """
    accelerated = spec.topology.accelerator_resource_name is not None
    if accelerated and not torch.cuda.is_available():
        raise InvalidInput(
            "topology.acceleratorResourceName: "
            f"{spec.topology.accelerator_resource_name} is asked for, but none is visible here"
        )
    if accelerated:
        torch.cuda.set_device(local_rank)
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # Longer than the watchdog's limit, so that a hang is found by the watchdog, which knows stacks.
    timeout = timedelta(seconds=spec.trained.hang_timeout_seconds + 300)
    deepspeed.init_distributed("nccl" if accelerated else "gloo", timeout=timeout, verbose=False)
    return torch.device("cuda", local_rank) if accelerated else torch.device("cpu")


def rendezvous_store() -> Any:
    """torchrun's key-value store, for ranks to exchange facts outside the order of collectives."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(host, port, is_master=False)  # type: ignore[attr-defined]
    return dist.PrefixStore("lccp", store)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Shared:
    """What rank 0 finds out for all ranks, by torchrun's key-value store."""

    rank: int
    facts: Any

    def __call__(self, name: str, by_rank_0: Callable[[], Any]) -> Any:
        """What `by_rank_0` gives there; `name` is used once in an attempt."""
        if self.rank == 0:
            self.facts.set(name, json.dumps(by_rank_0()))
        return json.loads(self.facts.get(name))
