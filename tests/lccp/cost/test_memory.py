"""The memory of a training process; benchmarks/memory.py compares it with real processes."""

from dataclasses import replace
from typing import Any

import pytest
from planned import CONFIG, SMALL, planned

from lccp.cost import memory as memory_module
from lccp.cost.architecture import Architecture
from lccp.cost.layout import Layout
from lccp.cost.memory import Memory, TrainingSettings, activation_bytes

MODEL = Architecture.from_config(SMALL)
TRAINING = TrainingSettings(tokens=10**6, context_length=512, layout=Layout(4))
N = MODEL.parameters


def memory(**changes: Any) -> Memory:
    return Memory.of(MODEL, replace(TRAINING, **changes))


@pytest.mark.parametrize(
    ("stage", "precision", "weights", "optimizer"),
    [
        (0, "FP32", 4, 8),
        (1, "FP32", 4, 3),
        (1, "BF16", 2, 3),
        (2, "BF16", 2, 3),
        (3, "BF16", 0.5, 3),
    ],
)
def test_a_zero_stage_partitions_what_it_says(
    stage: int, precision: str, weights: float, optimizer: float
) -> None:
    found = memory(zero_stage=stage, precision=precision)
    assert (found.weights, found.optimizer) == pytest.approx((weights * N, optimizer * N), abs=4)


@pytest.mark.parametrize(("stage", "each"), [(0, 4), (1, 4), (2, 1)])
def test_gradients_are_whole_below_stage_2(stage: int, each: float) -> None:
    found = memory(zero_stage=stage, precision="FP32", accumulation_steps=2)
    assert found.gradients == pytest.approx(each * N, abs=4)


def test_a_short_pass_leaves_the_peak_to_the_optimizer_s_step() -> None:
    short, long = memory(context_length=8), memory(context_length=8_192)
    assert short.activations == 0
    assert (short.gradients, short.buffers) == (4 * N, 3 * N)
    assert long.gradients == 0
    assert long.activations > short.total


def test_experts_that_are_spread_are_held_once_by_each_group_of_processes() -> None:
    spread = memory(layout=Layout(4, expert_size=2))
    assert memory().weights - spread.weights == 2 * MODEL.routed_parameters // 2
    assert spread.optimizer == memory().optimizer


def test_a_block_of_experts_is_gathered_whole_by_stage_3() -> None:
    large = Architecture.from_config(SMALL | {"num_experts": 2**19})
    found = Memory.of(large, replace(TRAINING, zero_stage=3, context_length=2**22))
    block = large.feed_forward[0].routed_parameters(large.hidden_size, 2**19)
    assert found.buffers == 2 * (block + 500_000_000)


def test_processes_that_share_sequences_share_their_activations() -> None:
    alone = activation_bytes(MODEL, TRAINING)
    shared = activation_bytes(MODEL, replace(TRAINING, layout=Layout(4, sequence_size=4)))
    weight = (4 + 2) * MODEL.vocabulary_size * MODEL.hidden_size
    assert shared - weight == (alone - weight) // 4


def test_an_offloaded_optimizer_leaves_the_device() -> None:
    kept, moved = memory(), memory(offload_optimizer=True)
    assert moved.optimizer > kept.optimizer
    assert moved.device < kept.device
    assert moved.total - moved.device == moved.optimizer


def test_activations_grow_with_the_tokens_of_a_micro_batch_and_shrink_when_recomputed() -> None:
    def activations(**changes: Any) -> int:
        weight = (4 + 2) * MODEL.vocabulary_size * MODEL.hidden_size
        return activation_bytes(MODEL, replace(TRAINING, **changes)) - weight

    assert activations(micro_batch_size=3) == 3 * activations()
    assert activations(context_length=1_024) == 2 * activations()
    assert activations(activation_checkpointing=True) < activations()


def test_logits_beyond_a_chunk_take_no_more_memory() -> None:
    def of_vocabulary(size: int) -> int:
        model = Architecture.from_config(SMALL | {"vocab_size": size})
        weight = (4 + 2) * size * model.hidden_size
        return activation_bytes(model, replace(TRAINING, context_length=65_536)) - weight

    assert of_vocabulary(100_000) == of_vocabulary(200_000)


@pytest.mark.parametrize("kind", ["llama", "hunyuan_v1_moe"])
def test_of_dense_blocks_that_are_computed_again_a_tile_alone_is_held(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Architecture.from_config(SMALL | {"model_type": kind})
    width = model.feed_forward[0].size

    def held(**changes: Any) -> int:
        return activation_bytes(model, replace(TRAINING, **changes))

    kept, again = held(), held(activation_checkpointing=True)
    monkeypatch.setattr(memory_module, "own_routed_tile", lambda *_: None)
    monkeypatch.setattr(memory_module, "TILE_ELEMENTS", 100 * width)
    assert held() == kept
    assert again - held(activation_checkpointing=True) == 4 * 2 * (512 - 100) * width


def test_of_routed_experts_in_tiles_a_tile_is_held_and_their_gradients_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    block, hidden = MODEL.feed_forward[0], MODEL.hidden_size
    again = {"activation_checkpointing": True}
    of_token, of_weights = block.routed_elements(hidden), block.routed_parameters(hidden, 8)

    def held(**changes: Any) -> int:
        return activation_bytes(MODEL, replace(TRAINING, **changes))

    kept, whole, spread = held(), held(**again), held(layout=Layout(4, expert_size=2), **again)
    monkeypatch.setattr(memory_module, "TILE_ELEMENTS", 100 * block.width)
    assert held() == kept
    assert whole - held(**again) == 2 * ((512 - 100) * of_token - of_weights)
    inner = 4 * block.chosen * block.expert_size
    shared = held(layout=Layout(4, expert_size=2), **again)
    assert spread - shared == 2 * ((512 - 100) * inner - of_weights // 2)


@pytest.mark.parametrize("unknown", ["auto", float("inf"), float("nan")])
def test_buckets_and_live_parameters_are_of_the_sizes_that_deepspeed_is_given(
    unknown: object,
) -> None:
    settings = {"zero_optimization": {"reduce_bucket_size": unknown}}

    def buffers(config: dict[str, Any]) -> int:
        run = planned(precision="FP32", deepspeed={"zeroStage": 3, "config": config})
        return Memory.of(Architecture.from_config(CONFIG), TrainingSettings.of(run)).buffers

    of_each = {"reduce_bucket_size": 1e6, "stage3_max_live_parameters": 200_000_000}
    for setting, smaller in (("reduce_bucket_size", 499e6), ("stage3_max_live_parameters", 8e8)):
        assert buffers(settings) == buffers({})
        less = buffers({}) - buffers({"zero_optimization": {setting: of_each[setting]}})
        assert less == 4 * smaller


def buffers(config: dict[str, Any], **deepspeed: Any) -> int:
    """Bytes of a process's buffers with these settings of ZeRO."""
    settings = deepspeed | {"config": {"zero_optimization": config}}
    run = planned(deepspeed=settings)
    return Memory.of(Architecture.from_config(CONFIG), TrainingSettings.of(run)).buffers


@pytest.mark.parametrize(("stage", "each"), [(1, 4), (2, 2)])
def test_below_stage_3_a_bucket_of_gradients_is_held_beside_the_activations(
    stage: int, each: int
) -> None:
    of_stage = {"zeroStage": stage, "offloadOptimizer": "CPU"}
    assert buffers({}, **of_stage) == each * 500_000_000
    assert buffers({"reduce_bucket_size": 1e6}, **of_stage) == each * 1_000_000
    assert buffers({"overlap_comm": True}, **of_stage) == 2 * each * 500_000_000


def test_stage_3_updates_a_sub_group_of_its_parameters_at_once() -> None:
    alone = replace(TRAINING, layout=Layout(1), zero_stage=3, context_length=8, live_elements=0)

    def of_sub_groups(size: int) -> int:
        return Memory.of(MODEL, replace(alone, bucket_elements=0, sub_group_elements=size)).buffers

    assert (of_sub_groups(10**9), of_sub_groups(N // 2)) == (8 * N, 4 * N)
