from typing import Any

from lccp.api.spec.training import TrainingSpec
from lccp_trainer.parallel.deepspeed_config import deepspeed_config


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
