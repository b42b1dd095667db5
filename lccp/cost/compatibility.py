"""Combinations of settings that can't work: one check for `lccp plan`, admission and the trainer.

Each refusal is one sentence that begins with the field at fault and says what would work.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp.cost import scratch
from lccp.cost.architecture import SPARSE, Architecture
from lccp.cost.fields import value_at
from lccp.cost.layout import Layout, step_shape
from lccp.cost.shards import ALIGNED_BYTES, divisors, one_of, uneven
from lccp.model_config import of_text_model, unsuited

FIELD = "training.deepspeed"
DERIVED = {
    "train_batch_size": "training.globalBatchTokens",
    "train_micro_batch_size_per_gpu": "training.microBatchSize",
    "gradient_accumulation_steps": "training.globalBatchTokens",
    "optimizer": "training.optimizer",
    "scheduler": "training.schedule",
    "gradient_clipping": "training.gradientClipping",
    "fp16": "training.precision",
    "bf16": "training.precision",
    "bfloat16": "training.precision",
    "amp": "training.precision",
    "torch_autocast": "training.precision",
    "data_types": "training.precision",
    "zero_optimization.stage": f"{FIELD}.zeroStage",
    "zero_optimization.offload_optimizer.device": f"{FIELD}.offloadOptimizer",
    "expert_parallel": f"{FIELD}.expertParallelSize",
    "sequence_parallel_size": f"{FIELD}.sequenceParallelSize",
}
"""Settings of DeepSpeed that the trainer itself relies on, and the field that sets each."""
OBJECTS = ("zero_optimization", "zero_optimization.offload_optimizer")
"""Settings around derived ones, which anything else in their place would remove."""
HONOURED = """
activation_checkpointing aio autotuning checkpoint comet comms_logger communication_data_type
compile csv_monitor data_efficiency dataloader_drop_last datastates_ckpt disable_allgather
disable_python_gc dump_state flops_profiler gradient_allreduce_op gradient_predivide_factor
hybrid_engine log_level managed_gradient_accumulation memory_breakdown pipeline
prescale_gradients seq_parallel_communication_data_type steps_per_print tensor_parallel
tensorboard timers use_data_before_expert_parallelism vocabulary_size wall_clock_breakdown wandb
weight_quantization zero_allow_untested_optimizer zero_force_ds_cpu_optimizer zero_optimization
"""
SETTINGS = frozenset(HONOURED.split())
"""What DeepSpeed 0.19 looks for at the top level of its configuration, beside what is derived."""
GONE = """
compression_training curriculum_learning eigenvalue elasticity graph_harvesting nebula
progressive_layer_drop quantize_training sparse_attention sparse_gradients
"""
REMOVED = frozenset(GONE.split())
"""Settings of earlier versions, with which DeepSpeed 0.19 does not start; it ignores all others."""
USELESS_TOLD = 8
"""More of them are not compared with settings: a manifest may have tens of thousands."""
LEAST_UNIT = ALIGNED_BYTES // 4
"""Elements of a part of a row of weights in float32, which a CPU needs."""
HEAD_CHANGES = {
    "final_logit_softcapping": None,
    "attn_logit_softcapping": None,
    "logits_scaling": 1.0,
    "logit_scale": 1.0,
}
"""Fields of config.json by which a model changes its logits, and the value that changes nothing."""
WINDOW_BY_SWITCH = ("qwen2", "qwen2_moe", "qwen3", "qwen3_moe")
"""Model types whose `sliding_window` counts only if `use_sliding_window` is set."""


def refusals(spec: LCCPRunSpec, config: Mapping[str, Any] | None = None) -> list[str]:
    """Why the run of `spec` can't be trained; empty if it can.

    Args:
        config: the source model's config.json, parsed; None where it can't be read.
    """
    volume = scratch.refusals(spec, config) if config is not None else []
    return [*layout_refusals(spec, config), *volume]


def layout_refusals(spec: LCCPRunSpec, config: Mapping[str, Any] | None = None) -> list[str]:
    """Why it can't be trained with its layout; empty if it can. Args as `refusals`."""
    found = [*_layout(spec), *_deepspeed(spec.trained), *_processes(spec)]
    if config is not None:
        config = of_text_model(config)
        found += [*_model(spec, config), *_experts(spec, config), *_shards(spec, config)]
    return found or list(_batch(spec))


def check(spec: LCCPRunSpec, config: Mapping[str, Any] | None = None) -> None:
    """Raise InvalidInput with the first of the refusals."""
    for refusal in refusals(spec, config):
        raise InvalidInput(refusal)


def _layout(spec: LCCPRunSpec) -> Iterator[str]:
    layout, length = Layout.of(spec), spec.model.target_context_length
    for field, size in (
        ("sequenceParallelSize", layout.sequence_size),
        ("expertParallelSize", layout.expert_size),
    ):
        if layout.processes % size:
            yield (
                f"{FIELD}.{field}: {size} does not divide the {layout.processes} processes of "
                f"topology: take {_divisors(layout.processes)}"
            )
    if length % layout.sequence_size and layout.processes % layout.sequence_size == 0:
        yield (
            f"{FIELD}.sequenceParallelSize: {layout.sequence_size} does not divide "
            f"model.targetContextLength {length}: take a power of 2, or another length"
        )
    if layout.expert_size > 1 and spec.trained.deepspeed.zero_stage == 0:
        yield f"{FIELD}.zeroStage: 0 does not go with expertParallelSize: take stage 1 to 3"


def _deepspeed(training: TrainingSpec) -> Iterator[str]:
    asked, absent = training.deepspeed, object()
    if asked.zero_stage == 0 and training.precision == "BF16":
        yield (
            f"{FIELD}.zeroStage: 0 is wrong by a step of the optimizer with precision BF16: "
            "take stage 1 or higher, or precision FP32"
        )
    if asked.zero_stage == 0 and asked.offload_optimizer == "CPU":
        yield f"{FIELD}.offloadOptimizer: CPU needs a partitioned optimizer: take zeroStage 1 to 3"
    for setting in OBJECTS:
        if not isinstance(value_at(asked.config, setting, {}), Mapping):
            yield f"{FIELD}.config.{setting}: must be an object with settings of ZeRO"
    for setting in sorted(asked.config.keys() - SETTINGS - DERIVED.keys())[:USELESS_TOLD]:
        yield f"{FIELD}.config.{setting}: {_useless(setting)}"
    for setting, field in DERIVED.items():
        if value_at(asked.config, setting, absent) is not absent:
            yield f"{FIELD}.config.{setting}: {field} gives this: remove it here"
    if value_at(asked.config, "zero_optimization.offload_param.device", None) == "nvme":
        yield (
            f"{FIELD}.config.zero_optimization.offload_param.device: nvme is not supported: "
            "state on it would be left out of what a run resumes from"
        )


def _useless(setting: str) -> str:
    """Why DeepSpeed can't be given `setting`, and what was probably meant."""
    if setting in REMOVED:
        return "DeepSpeed no longer has this, and would not start: remove it"
    close = get_close_matches(setting, SETTINGS | DERIVED.keys(), n=1)
    meant = "".join(f", or give {DERIVED.get(one, one)}" for one in close)
    return f"DeepSpeed would ignore this: remove it{meant}"


def _model(spec: LCCPRunSpec, config: Mapping[str, Any]) -> Iterator[str]:
    size, heads = Layout.of(spec).sequence_size, config.get("num_attention_heads")
    if isinstance(heads, int) and heads % size:
        yield (
            f"{FIELD}.sequenceParallelSize: {size} does not divide the model's {heads} attention "
            f"heads: take {_divisors(heads)}"
        )
    window = _window(config)
    if window is not None and window < spec.model.target_context_length:
        yield (
            f"model.source: the model attends to the last {window} tokens only (sliding_window in "
            "config.json), so a longer context is lost on it: take a model without a window"
        )
    yield from unsuited(spec.model, config)
    if config.get("quantization_config"):
        yield (
            "model.source: the weights are quantized (quantization_config in config.json), so they "
            "can't be trained: take the model that they were made from"
        )
    for field, neutral in HEAD_CHANGES.items():
        if config.get(field, neutral) not in (None, neutral):
            yield f"model.source: {field} in config.json is not supported: take another model"


def _experts(spec: LCCPRunSpec, config: Mapping[str, Any]) -> Iterator[str]:
    size, kind = Layout.of(spec).expert_size, config.get("model_type")
    if spec.trained.router_aux_loss_coefficient and kind not in SPARSE:
        yield (
            f"training.routerAuxLossCoefficient: the routers of a model of type {kind!r} are not "
            f"known: leave it out, or take one of {', '.join(SPARSE)}"
        )
    if size == 1:
        return
    field = f"{FIELD}.expertParallelSize: {size}"
    try:
        layers = Architecture.from_config(config).feed_forward
    except InvalidInput as error:
        yield f"{field}: {error}: take 1"
        return
    sparse = {(layer.experts, layer.chosen) for layer in layers if layer.experts}
    if not sparse:
        yield f"{field}: the model has no experts to share: take 1"
    elif len(sparse) > 1:
        yield f"{field}: the layers of the model differ in their experts: take 1"
    else:
        ((experts, _),) = sparse
        if experts % size:
            would_do = _divisors(experts)
            yield f"{field} does not divide the model's {experts} experts: take {would_do}"


def _processes(spec: LCCPRunSpec) -> Iterator[str]:
    processes, shards = spec.evaluation.processes, spec.evaluation.shards
    if processes % shards:
        yield (
            f"evaluation.shards: {shards} does not divide evaluation.processes {processes}: take "
            f"{_divisors(processes)}"
        )


def _shards(spec: LCCPRunSpec, config: Mapping[str, Any]) -> Iterator[str]:
    size = spec.evaluation.shards
    if size == 1:
        return
    with suppress(InvalidInput):  # the evaluator reports families that are not counted
        layers = Architecture.from_config(config).feed_forward
        widths = sorted({layer.expert_size for layer in layers if layer.experts})
        if not widths and len(layers) < size:
            count = len(layers)
            yield f"evaluation.shards: {size}: the model has {count} layers to share: take fewer"
        for found in filter(None, (uneven(width, size, LEAST_UNIT) for width in widths)):
            yield f"evaluation.shards: {found}"


def _batch(spec: LCCPRunSpec) -> Iterator[str]:
    try:
        step_shape(spec)
    except InvalidInput as error:
        yield str(error)


def _window(config: Mapping[str, Any]) -> int | None:
    """Tokens that attention is limited to, or None."""
    switched_on = config.get("use_sliding_window", config.get("model_type") not in WINDOW_BY_SWITCH)
    window = config.get("sliding_window")
    return window if switched_on and isinstance(window, int) else None


def _divisors(number: int) -> str:
    """The divisors of `number` as text, such as `1, 2 or 4`."""
    return one_of(divisors(number))
