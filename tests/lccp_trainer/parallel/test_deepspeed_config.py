from typing import Any

import pytest

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.parallel.deepspeed_config import check_deepspeed, deepspeed_config


def training(precision: str = "FP32", **deepspeed: Any) -> TrainingSpec:
    document = {
        "tokens": 1000,
        "globalBatchTokens": 10,
        "learningRate": "0.5",
        "gradientClipping": "2",
        "microBatchSize": 3,
        "precision": precision,
        "deepspeed": deepspeed,
    }
    return TrainingSpec.parse(document, "training")


def test_the_spec_gives_batch_clipping_and_stage() -> None:
    config = deepspeed_config(training(zeroStage=3, offloadOptimizer="CPU"), 5)
    assert config["train_micro_batch_size_per_gpu"] == 3
    assert config["gradient_accumulation_steps"] == 5
    assert config["gradient_clipping"] == 2.0
    assert config["zero_optimization"]["stage"] == 3
    assert config["zero_optimization"]["offload_optimizer"] == {"device": "cpu"}
    assert "bf16" not in config


def test_bfloat16_accumulates_gradients_in_float32() -> None:
    config = deepspeed_config(training("BF16"), 1)
    assert config["bf16"] == {"enabled": True}
    assert config["data_types"] == {"grad_accum_dtype": "fp32"}


def test_the_free_object_is_merged_last_and_below_the_surface() -> None:
    free = {"zero_optimization": {"overlap_comm": True}, "gradient_clipping": 0.5}
    config = deepspeed_config(training(zeroStage=2, config=free), 1)
    assert config["zero_optimization"] == {"stage": 2, "overlap_comm": True}
    assert config["gradient_clipping"] == 0.5


@pytest.mark.parametrize(
    ("deepspeed", "field"),
    [
        ({"expertParallelSize": 2}, "training.deepspeed.expertParallelSize"),
        ({"sequenceParallelSize": 4}, "training.deepspeed.sequenceParallelSize"),
        ({"zeroStage": 0, "precision": "BF16"}, "training.deepspeed.zeroStage"),
        ({"zeroStage": 0, "offloadOptimizer": "CPU"}, "training.deepspeed.offloadOptimizer"),
        ({"config": {"train_batch_size": 8}}, "training.deepspeed.config.train_batch_size"),
        ({"config": {"optimizer": {}}}, "training.deepspeed.config.optimizer"),
        (
            {"config": {"zero_optimization": {"stage": 2}}},
            "training.deepspeed.config.zero_optimization.stage",
        ),
        (
            {"config": {"zero_optimization": {"offload_param": {"device": "nvme"}}}},
            "training.deepspeed.config.zero_optimization.offload_param.device",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_field(
    deepspeed: dict[str, Any], field: str
) -> None:
    precision = deepspeed.pop("precision", "FP32")
    with pytest.raises(InvalidInput) as error:
        check_deepspeed(training(precision, **deepspeed))
    assert str(error.value).startswith(f"{field}: ")


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_every_stage_can_be_run_in_float32(stage: int) -> None:
    check_deepspeed(training(zeroStage=stage, config={"zero_optimization": {}}))
