"""A model whose experts are in two processes gives the same readings as in one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_checkpoints import a_checkpoint

from lccp_evaluator.model.execution import Execution, ExecutionPlan, Way
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.size import Size
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.spread import shards
from lccp_evaluator.spread.opening import Opening
from lccp_evaluator.spread.process import Process, ProcessLost

TEXT = np.random.default_rng(3).integers(3, 90, 200)
PASSAGES = [
    Passage(np.r_[TEXT[:start], TEXT[150:]], (start + 40, start + 50), (4, 12), 4)
    for start in (60, 90)
]


def an_opening(directory: Path, shards: int, way: Way = "Forked") -> Opening:
    execution = Execution("cpu", step_tokens=64, processes=2, shards=shards)
    plan = ExecutionPlan.here(execution).model_copy(update={"way": way})
    return Opening(directory, plan, False, watches=True)


def read(directory: Path, shards: int, way: Way) -> tuple[list[Reading], Size]:
    with an_opening(directory, shards, way).engine() as engine:
        return engine.read(PASSAGES), Size.of(engine.model)


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "way", "settings"),
    [
        ("hunyuan_v1_moe", "Forked", {"moe_topk": 2}),
        ("hunyuan_v1_moe", "Whole", {"moe_topk": 2}),
        ("qwen3_moe", "Forked", {}),
    ],
    ids=["HunYuan, forked", "HunYuan, whole", "Qwen3-MoE"],
)
def test_two_processes_read_as_one_does(
    tmp_path: Path, kind: str, way: Way, settings: dict[str, Any]
) -> None:
    directory = a_checkpoint(tmp_path, model_type=kind, **settings)

    (alone, whole), (split, part) = (read(directory, shards, way) for shards in (1, 2))

    for one, other in zip(alone, split, strict=True):
        np.testing.assert_allclose(other.nll, one.nll, atol=1e-5)
        np.testing.assert_allclose(other.mass, one.mass, atol=1e-5)
        assert (other.copied == one.copied).all()
        assert (other.load == one.load).all()
    assert part.multiplied == whole.multiplied
    assert part.weight_bytes < whole.weight_bytes


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The processes that hold shards, from their start."""
    found: list[Process] = []

    class Noted(Process):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            found.append(self)

    monkeypatch.setattr(shards, "Process", Noted)
    return found


@pytest.mark.long
def test_a_shard_that_dies_fails_the_evaluation(tmp_path: Path, started: list[Process]) -> None:
    def reading_without_it() -> None:
        with an_opening(a_checkpoint(tmp_path), 2).engine() as engine:
            started[0].process.kill()
            engine.read(PASSAGES)

    with pytest.raises(ProcessLost, match=r"shard 1 of the model's 2 .* was killed"):
        reading_without_it()


@pytest.mark.long
def test_a_shard_tells_what_it_alone_can_see(tmp_path: Path, started: list[Process]) -> None:
    file = a_checkpoint(tmp_path) / "model.safetensors"
    weights = load_file(file)
    name = next(name for name in weights if name.endswith("experts.0.down_proj.weight"))
    weights[name][:, -1] = np.nan  # of the last channel, which the other process holds
    save_file(weights, file, {"format": "pt"})

    with (
        pytest.raises(NotFiniteModel, match="experts"),
        an_opening(tmp_path, 2).engine(),
    ):
        pass

    assert started[0].process.poll() is not None
