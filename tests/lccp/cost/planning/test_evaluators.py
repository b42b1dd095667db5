"""The memory that an evaluator needs, and in how many shards it fits."""

import json
from pathlib import Path

import pytest
from planned import CONFIG, planned

from lccp.cost.architecture import Architecture
from lccp.cost.planning.devices import DeviceCluster, device_of
from lccp.cost.planning.evaluators import EvaluatorMemory, EvaluatorPlan, shards_that_fit

ROOT = Path(__file__).parents[4]
GIBIBYTE = 2**30


@pytest.fixture(scope="module")
def hunyuan() -> Architecture:
    """Hunyuan-A13B, of 80.4 billion parameters."""
    folder = ROOT / "examples" / "hunyuan-a13b-64k" / "architecture"
    return Architecture.from_config(json.loads((folder / "config.json").read_text()))


def test_shards_divide_experts_and_nothing_else(hunyuan: Architecture) -> None:
    whole, quarter = (EvaluatorMemory.of(hunyuan, 65_536, shards) for shards in (1, 4))

    assert whole.weights == 2 * hunyuan.parameters
    assert whole.weights - quarter.weights == 2 * hunyuan.routed_parameters * 3 // 4
    assert (quarter.cache, quarter.passes) == (whole.cache, whole.passes)
    assert quarter.cache == 65_536 * 2 * 32 * 2 * 8 * 128


def test_the_fewest_shards_that_fit_cut_the_experts_evenly(hunyuan: Architecture) -> None:
    memory = EvaluatorMemory.of(hunyuan, 65_536, 3).total

    assert shards_that_fit(hunyuan, 65_536, 200 * GIBIBYTE) == 1
    assert shards_that_fit(hunyuan, 65_536, memory) == 3
    assert shards_that_fit(hunyuan, 65_536, memory - 1) == 4
    assert (
        EvaluatorMemory.of(hunyuan, 65_536, 5).total < EvaluatorMemory.of(hunyuan, 65_536, 4).total
    )
    assert shards_that_fit(hunyuan, 65_536, EvaluatorMemory.of(hunyuan, 65_536, 5).total) == 6
    assert shards_that_fit(hunyuan, 65_536, GIBIBYTE) is None


def test_a_dense_model_is_shared_by_layers() -> None:
    model = Architecture.from_config(
        CONFIG | {"model_type": "llama", "num_hidden_layers": 16, "vocab_size": 1_000}
    )

    whole, half = (EvaluatorMemory.of(model, 1_024, shards) for shards in (1, 2))

    assert whole.weights == 2 * model.parameters
    assert 2 * half.weights == pytest.approx(whole.weights, rel=0.01)
    assert 2 * half.cache == whole.cache


@pytest.mark.parametrize(
    ("config", "fitting"),
    [
        ({}, 1),
        ({"model_type": "llama", "intermediate_size": 65_536, "num_hidden_layers": 300}, 2),
        ({"model_type": "llama", "intermediate_size": 2**24, "num_hidden_layers": 2}, None),
        ({"num_experts": 1_024, "moe_intermediate_size": 1_024}, 4),
    ],
    ids=["it fits", "dense", "dense, of large layers", "experts"],
)
def test_a_plan_knows_what_fits_on_the_device(
    config: dict[str, object], fitting: int | None
) -> None:
    cluster = DeviceCluster(device_of("h100-80g"), 8)

    plan = EvaluatorPlan.of(planned(), CONFIG | config, cluster)

    assert (plan.shards, plan.tokens) == (1, 32_768)
    assert (plan.memory.total > plan.usable_bytes) == (fitting != 1)
    assert plan.fitting == fitting
