import re
from typing import Any

import pytest

from layouts import TESTED, Case, whole
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.model import RopeScaling
from lccp.contract.errors import InvalidInput
from lccp.cost.compatibility import USELESS_TOLD, check, refusals

DENSE = {"model_type": "llama", "num_attention_heads": 12, "hidden_size": 96}
SPARSE = {
    "model_type": "qwen3_moe",
    "vocab_size": 100,
    "hidden_size": 96,
    "intermediate_size": 64,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 12,
    "num_experts": 6,
    "num_experts_per_tok": 2,
}
LLAMA = DENSE | SPARSE | {"model_type": "llama"}


def a_spec(processes: int = 8, length: int = 1_024, **training: Any) -> LCCPRunSpec:
    document: dict[str, Any] = {
        "model": {"source": "m", "targetContextLength": length},
        "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
        "training": {
            "tokens": "1M",
            "globalBatchTokens": 24 * length,
            "learningRate": "1e-3",
            "precision": "FP32",
        }
        | training,
        "topology": {"nodes": processes},
        "checkpoints": {"everyTokens": "1M"},
    }
    return LCCPRunSpec.parse(document, "spec")


def stretched(**training: Any) -> LCCPRunSpec:
    """With a RoPE scaling."""
    spec = a_spec(**training)
    scaling = RopeScaling.parse({"type": "yarn", "factor": "4"}, "scaling")
    model = spec.model.model_copy(update={"rope_scaling": scaling})
    return spec.model_copy(update={"model": model})


def deepspeed(**fields: Any) -> dict[str, Any]:
    return {"deepspeed": fields}


@pytest.mark.parametrize(
    ("training", "sentence"),
    [
        (deepspeed(sequenceParallelSize=3), "sequenceParallelSize: 3 .* 1, 2, 4 or 8$"),
        (deepspeed(expertParallelSize=5), "expertParallelSize: 5 .* 1, 2, 4 or 8$"),
        (deepspeed(expertParallelSize=2, zeroStage=0), "zeroStage: 0 .* take stage 1 to 3$"),
        (deepspeed(zeroStage=0) | {"precision": "BF16"}, "zeroStage: 0 .* take stage 1 or higher"),
        (deepspeed(zeroStage=0, offloadOptimizer="CPU"), "offloadOptimizer: .* zeroStage 1 to 3$"),
        (deepspeed(config={"train_batch_size": 8}), "config.train_batch_size: .* remove it here$"),
        (deepspeed(config={"optimizer": {}}), "config.optimizer: training.optimizer gives this"),
        (deepspeed(config={"bfloat16": {}}), "config.bfloat16: training.precision gives this"),
        (
            deepspeed(config={"zero_optimisation": {"overlap_comm": True}}),
            "config.zero_optimisation: DeepSpeed would .*: remove it, or give zero_optimization$",
        ),
        (
            deepspeed(config={"optimiser": {}}),
            "config.optimiser: DeepSpeed would ignore this: remove it, or give training.optimizer$",
        ),
        (deepspeed(config={"nebula": {}}), "config.nebula: DeepSpeed no longer .*: remove it$"),
        (deepspeed(config={"qqq": 1}), "config.qqq: DeepSpeed would ignore this: remove it$"),
        (deepspeed(config={"zero_optimization": {"stage": 2}}), "config.zero_optimization.stage: "),
        (deepspeed(config={"zero_optimization": True}), "config.zero_optimization: must be an obj"),
        (
            deepspeed(config={"gradient_clipping": 0}),
            "config.gradient_clipping: training.gradientClipping gives this: remove it here",
        ),
        (
            deepspeed(config={"bf16": {"bf16_optimizer_states": True}}),
            "config.bf16: training.precision gives this",
        ),
        (
            deepspeed(config={"data_types": {"grad_accum_dtype": "bf16"}}),
            "config.data_types: training.precision gives this",
        ),
        (
            deepspeed(config={"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}),
            "config.zero_optimization.offload_optimizer.device: .*offloadOptimizer gives this",
        ),
        (deepspeed(config={"amp": None}), "config.amp: training.precision gives this"),
        (
            deepspeed(config={"gradient_clipping": None}),
            "config.gradient_clipping: training.gradientClipping gives this: remove it here$",
        ),
        (
            deepspeed(config={"zero_optimization": {"stage": None}}),
            "config.zero_optimization.stage: training.deepspeed.zeroStage gives this",
        ),
        (deepspeed(config={"zero_optimization": None}), "config.zero_optimization: must be an obj"),
        (
            deepspeed(config={"zero_optimization": {"offload_optimizer": None}}),
            "config.zero_optimization.offload_optimizer: must be an object with settings of ZeRO$",
        ),
        (
            deepspeed(config={"zero_optimization": {"offload_param": {"device": "nvme"}}}),
            "config.zero_optimization.offload_param.device: nvme",
        ),
    ],
)
def test_what_the_spec_alone_rules_out_is_refused(training: dict[str, Any], sentence: str) -> None:
    (refusal,) = refusals(a_spec(**training))
    assert re.match(f"training.deepspeed.{sentence}", refusal), refusal
    with pytest.raises(InvalidInput, match=re.escape(refusal)):
        check(a_spec(**training))


def test_of_many_settings_that_deepspeed_would_ignore_the_first_few_are_told() -> None:
    config = {f"zero_{number:03}": 1 for number in range(100)}

    found = refusals(a_spec(**deepspeed(config=config)))

    assert len(found) == USELESS_TOLD
    assert found[0].startswith("training.deepspeed.config.zero_000: DeepSpeed would ignore this")


def test_processes_that_shards_do_not_divide_are_refused() -> None:
    spec = a_spec()
    evaluation = spec.evaluation.model_copy(update={"processes": 6, "shards": 4})

    (refusal,) = refusals(spec.model_copy(update={"evaluation": evaluation}))

    assert refusal.startswith("evaluation.shards: 4 does not divide evaluation.processes 6: take 1")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (LLAMA | {"num_hidden_layers": 3}, None),
        (LLAMA | {"num_hidden_layers": 2}, "3: the model has 2 layers to share: take fewer$"),
        (SPARSE, "3 does not cut the width of the model's experts, 64, .* take 1, 2, 4, 8 or 16$"),
        ({"model_type": "another"}, None),
    ],
)
def test_experts_and_layers_that_shards_cannot_share_are_refused(
    config: dict[str, Any], sentence: str | None
) -> None:
    spec = a_spec()
    evaluation = spec.evaluation.model_copy(update={"processes": 3, "shards": 3})

    found = refusals(spec.model_copy(update={"evaluation": evaluation}), config)

    if sentence is None:
        assert not found
    else:
        assert re.match(f"evaluation.shards: {sentence}", found[0]), found


def test_a_length_that_the_processes_do_not_divide_is_refused() -> None:
    spec = a_spec(processes=3, length=1_000, **deepspeed(sequenceParallelSize=3))
    assert "does not divide model.targetContextLength 1000" in refusals(spec)[0]


@pytest.mark.parametrize(
    ("parallel", "config", "sentence"),
    [
        ({"sequenceParallelSize": 8}, DENSE, "12 attention heads: take 1, 2, 3, 4, 6 or 12$"),
        ({"expertParallelSize": 4}, SPARSE, "the model's 6 experts: take 1, 2, 3 or 6$"),
        ({"expertParallelSize": 2}, DENSE | SPARSE | {"model_type": "llama"}, "no experts"),
        ({"expertParallelSize": 2}, {"model_type": "dbrx"}, "model_type 'dbrx' can't be counted"),
        ({}, DENSE | {"sliding_window": 512}, "attends to the last 512 tokens only"),
        ({}, DENSE | {"final_logit_softcapping": 30.0}, "final_logit_softcapping in config.json"),
        (
            {},
            DENSE | {"quantization_config": {"bits": 4}},
            "the weights are quantized",
        ),
        ({}, DENSE | {"logit_scale": 0.0625}, "logit_scale in config.json is not supported"),
        ({}, DENSE | {"attention_chunk_size": 512}, "attends within chunks of 512 tokens only"),
        ({}, {"text_config": DENSE | {"sliding_window": 512}}, "the last 512 tokens only"),
        ({}, DENSE | {"mamba_d_state": 16}, r"layers that are not supported \(mamba_d_state in "),
        ({}, DENSE | {"rescale_every": 6}, r"layers that are not supported \(rescale_every in "),
        (
            {"sequenceParallelSize": 2},
            DENSE | {"layer_types": ["linear_attention", "full_attention"]},
            r"\(linear_attention in config.json\): documents of a row are kept apart only in plain",
        ),
        (
            {},
            DENSE | {"rope_scaling": {"rope_type": "yarn", "factor": 8.0}},
            r"ropeScaling.factor: 4 would undo the source's own 8",
        ),
    ],
)
def test_what_the_model_rules_out_is_refused(
    parallel: dict[str, int], config: dict[str, Any], sentence: str
) -> None:
    (refusal,) = refusals(stretched(**deepspeed(**parallel)), config)
    assert re.search(sentence, refusal), refusal


@pytest.mark.parametrize(
    "config",
    [
        DENSE | {"sliding_window": None},
        DENSE | {"sliding_window": 4_096},
        SPARSE | {"sliding_window": 512, "use_sliding_window": False},
        SPARSE | {"sliding_window": 512},
        DENSE | {"logit_scale": 1.0},
        DENSE | {"attention_chunk_size": 4_096},
        DENSE | {"layer_types": ["attention", "full_attention"], "mamba_d_state": 16},
    ],
)
def test_what_changes_nothing_is_no_reason_to_refuse(config: dict[str, Any]) -> None:
    assert refusals(a_spec(), config) == []


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("parallel", [{}, {"sequenceParallelSize": 2}, {"sequenceParallelSize": 4}])
def test_every_stage_goes_with_sequence_parallelism(stage: int, parallel: dict[str, int]) -> None:
    assert refusals(a_spec(**deepspeed(zeroStage=stage, **parallel)), SPARSE) == []


def test_a_batch_that_does_not_divide_is_told_once_the_layout_is_right() -> None:
    assert "training.globalBatchTokens" in refusals(a_spec(processes=16))[0]
    (refusal,) = refusals(a_spec(processes=16, **deepspeed(sequenceParallelSize=3)))
    assert "sequenceParallelSize" in refusal


@pytest.mark.parametrize(
    "case", sorted({*TESTED, *whole(steps=4)}, key=str), ids=lambda case: case.name
)
def test_a_layout_that_is_as_plain_pytorch_is_not_refused(case: Case) -> None:
    assert case.refusals() == []
