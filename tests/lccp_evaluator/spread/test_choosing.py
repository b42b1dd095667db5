"""A model is shared by as few devices as it fits on, unless a number is given."""

import logging
from pathlib import Path

import pytest
import torch
from tiny_checkpoints import a_checkpoint

from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.planning.evaluators import EvaluatorMemory
from lccp.model_config import read_model_config
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.spread import choosing

TOKENS = 500


@pytest.fixture(autouse=True)
def _without_cuda_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_checkpoint(tmp_path_factory.mktemp("sparse"), model_type="qwen3_moe")


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_checkpoint(
        tmp_path_factory.mktemp("dense"),
        model_type="llama",
        num_hidden_layers=24,
        intermediate_size=1_024,
    )


def memory(directory: Path, shards: int, value_bytes: int) -> EvaluatorMemory:
    model = Architecture.from_config(read_model_config(directory, "config.json"))
    return EvaluatorMemory.of(model, TOKENS, shards, value_bytes)


def held(directory: Path, shards: int, value_bytes: int) -> int:
    return memory(directory, shards, value_bytes).total


def chosen(
    directory: Path,
    execution: Execution,
    room: float,
    monkeypatch: pytest.MonkeyPatch,
) -> ExecutionPlan:
    """The plan on devices of which `room` bytes may be planned."""
    monkeypatch.setattr(choosing, "memory_bytes", lambda *_: int(room / choosing.PLANNED) + 1)
    return choosing.chosen_plan(directory, execution, TOKENS, False)


def test_the_fewest_of_the_processes_that_fit_share_a_model(
    sparse: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole, half = (held(sparse, shards, 4) for shards in (1, 2))
    four = Execution("cpu", processes=4)

    assert chosen(sparse, four, whole, monkeypatch).shards == 1
    with caplog.at_level(logging.INFO):
        assert chosen(sparse, four, half, monkeypatch).shards == 2
    assert "the model is shared by 2 devices: it takes" in caplog.text
    assert chosen(sparse, four, half - 1, monkeypatch).shards == 4
    assert chosen(sparse, Execution("cpu", processes=3), half, monkeypatch).shards == 1


def test_a_given_number_is_used(sparse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Execution("cpu", processes=4, shards=1)

    assert chosen(sparse, given, 1, monkeypatch).shards == 1


def test_layers_are_shared_by_cuda_devices_only(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shards(device: str, value_bytes: int) -> int:
        room = held(dense, 2, value_bytes)
        return chosen(dense, Execution(device, processes=2), room, monkeypatch).shards

    assert shards("cuda", 2) == 2
    assert shards("cpu", 4) == 1


def test_processes_of_a_cpu_share_no_experts_beside_cuda_devices(
    sparse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half, two = held(sparse, 2, 4), Execution("cpu", processes=2)

    assert chosen(sparse, two, half, monkeypatch).shards == 2
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert chosen(sparse, two, half, monkeypatch).shards == 1


def test_a_device_that_is_not_there_is_named(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(InvalidInput, match="this machine has no CUDA device"):
        choosing.chosen_plan(dense, Execution("cuda"), TOKENS, False)


def test_a_model_that_other_processes_could_share_is_refused_with_their_number(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = held(dense, 3, 2)

    with pytest.raises(InvalidInput, match=r"dense.*: takes .* of memory .*: 3 processes, or a"):
        chosen(dense, Execution("cuda", processes=2), room, monkeypatch)


def test_a_model_that_fits_with_smaller_passes_is_not_refused(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = memory(dense, 1, 2)
    room = choosing.PLANNED * (alone.total - alone.passes // 2)

    assert held(dense, 24, 2) <= room
    assert chosen(dense, Execution("cuda"), room, monkeypatch).shards == 1


def test_a_family_that_is_not_counted_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = a_checkpoint(tmp_path, model_type="olmoe")

    assert chosen(directory, Execution("cpu", processes=2), 1, monkeypatch).shards == 1
