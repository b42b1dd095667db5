"""Joining the processes of an attempt."""

from datetime import timedelta

import a_run
import pytest
import torch
import torch.distributed as dist

from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel.process_group import Shared, join_process_group, rendezvous_store


def test_an_accelerator_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    spec = a_run.run(topology={"acceleratorResourceName": "nvidia.com/gpu"}).spec

    sentence = r"^topology\.acceleratorResourceName: nvidia\.com/gpu is requested, but none"
    with pytest.raises(InvalidInput, match=sentence):
        join_process_group(spec, 0)


def test_what_rank_0_finds_out_all_ranks_know() -> None:
    facts = dist.HashStore()  # type: ignore[attr-defined]

    def refused() -> None:
        raise AssertionError("another rank found it out")

    found = {"newest": [1, 2], "why": None}
    assert Shared(0, facts)("states", lambda: found) == found
    assert Shared(1, facts)("states", refused) == found
    assert Shared(2, facts)("states", refused) == found


def test_ranks_wait_for_rank_0_beyond_the_limit_of_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun = dist.TCPStore("127.0.0.1", 0, is_master=True)  # type: ignore[attr-defined]
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(torchrun.port))
    spec = a_run.run().spec

    assert rendezvous_store(spec).timeout > timedelta(seconds=spec.trained.hang_timeout_seconds)
