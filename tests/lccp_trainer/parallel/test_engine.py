"""A step is made unless its gradient is not finite; the spec gives DeepSpeed's configuration."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from deepspeed.runtime.config import DeepSpeedConfig, DeepSpeedConfigError
from plain_engine import VOCABULARY, Bigrams, PlainEngine
from planned import planned

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.compatibility import DERIVED, REMOVED, SETTINGS
from lccp_trainer.parallel.engine import apply_step, build_engine, deepspeed_config


def stepped(gradient: float) -> tuple[float | None, bool]:
    """The norm that a step tells, and whether it changed the weights."""
    engine = PlainEngine(Bigrams())
    bias = engine.module.model.bias
    before = bias.detach().clone()
    engine.backward((bias * gradient).sum())
    norm = apply_step(engine)
    assert bias.grad is None
    return norm, not torch.equal(bias, before)


def test_the_norm_is_that_of_all_gradients() -> None:
    norm, changed = stepped(3.0)

    assert norm == pytest.approx(3 * VOCABULARY**0.5)
    assert changed


@pytest.mark.parametrize("gradient", [math.nan, math.inf])
def test_a_step_whose_gradient_is_not_finite_is_left_out(gradient: float) -> None:
    assert stepped(gradient) == (None, False)


def test_the_step_after_one_that_was_left_out_is_made() -> None:
    engine = PlainEngine(Bigrams())
    bias = engine.module.model.bias
    engine.backward((bias * math.nan).sum())
    apply_step(engine)
    before = bias.detach().clone()

    engine.backward(bias.sum())

    assert apply_step(engine) == pytest.approx(VOCABULARY**0.5)
    assert not torch.equal(bias, before)


@pytest.mark.parametrize(("told", "norm"), [(2.5, 2.5), (-1.0, None), (math.inf, None)])
def test_what_zero_says_of_the_norm_is_believed(told: float, norm: float | None) -> None:
    class Zero(PlainEngine):
        def zero_optimization(self) -> bool:
            return True

        def get_global_grad_norm(self) -> float:
            return told

    assert apply_step(Zero(Bigrams())) == norm


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


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"reduce_buket_size": 1}, "reduce_buket_size: Extra inputs are not permitted: correct"),
        ({"sub_group_size": "many"}, "sub_group_size: Input should be a valid integer"),
        ({"offload_param": {"device": "disk"}}, r"offload_param\.device: Input should be 'none'"),
    ],
)
def test_a_setting_that_deepspeed_does_not_accept_is_named(
    settings: dict[str, Any], sentence: str
) -> None:
    asked = {"zeroStage": 3, "config": {"zero_optimization": settings}}
    with pytest.raises(
        InvalidInput, match=rf"^training\.deepspeed\.config\.zero_optimization\.{sentence}"
    ):
        build_engine(planned(deepspeed=asked).spec, Path("none"), None, torch.nn.Module, 1)


def test_the_free_object_is_merged_last_and_below_the_surface() -> None:
    free = {"zero_optimization": {"overlap_comm": True}, "wall_clock_breakdown": True}
    config = deepspeed_config(training(zeroStage=2, config=free), 1)
    assert config["zero_optimization"] == {"stage": 2, "overlap_comm": True}
    assert config["wall_clock_breakdown"] is True


class Consulted(dict[str, Any]):
    """A configuration that knows which of its keys were looked for."""

    def __init__(self, *content: Any) -> None:
        super().__init__(*content)
        self.keys_asked: set[str] = set()

    def __contains__(self, key: object) -> bool:
        self.keys_asked.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.keys_asked.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)

    def keys(self) -> Any:
        return self

    def __copy__(self) -> "Consulted":
        return self


def test_the_settings_that_are_let_through_are_those_that_deepspeed_looks_for() -> None:
    asked = Consulted(deepspeed_config(training(zeroStage=2), 1))
    DeepSpeedConfig(asked)
    assert asked.keys_asked - DERIVED.keys() == SETTINGS | REMOVED


def test_the_settings_that_are_let_through_are_none_that_deepspeed_has_removed() -> None:
    refused = set()
    for setting in SETTINGS | REMOVED:
        try:
            DeepSpeedConfig(deepspeed_config(training(zeroStage=2), 1) | {setting: {}})
        except DeepSpeedConfigError:
            refused.add(setting)
        except Exception:  # an empty object is no value of it
            pass
    assert refused == REMOVED
