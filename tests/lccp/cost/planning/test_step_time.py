from dataclasses import replace

import pytest
from planned import SMALL

from lccp.cost import memory
from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token
from lccp.cost.layout import Layout
from lccp.cost.memory import TrainingSettings
from lccp.cost.planning.devices import DEVICES, LINK_EFFICIENCY, DeviceCluster
from lccp.cost.planning.step_time import StepTime, step_tokens

MODEL = Architecture.from_config(SMALL)
DEVICE = DEVICES["h100-80g"]
NODE = DeviceCluster(DEVICE, devices_per_node=4, efficiency=0.5)
LINK = LINK_EFFICIENCY * DEVICE.link
TRAINING = TrainingSettings(
    tokens=10**6, context_length=512, layout=Layout(4), accumulation_steps=3, precision="FP32"
)


def step(**changes: object) -> StepTime:
    return StepTime.of(MODEL, replace(TRAINING, **changes), NODE)  # type: ignore[arg-type]


def test_a_step_computes_its_flops_at_the_stated_share_of_the_peak() -> None:
    tokens = step_tokens(TRAINING)
    assert tokens == 4 * 3 * 512
    expected = flops_per_token(MODEL, 512) * tokens / (4 * 0.5 * DEVICE.fp32)
    assert step().computing == pytest.approx(expected)


def test_recomputing_adds_a_forward_pass_to_three() -> None:
    again = step(activation_checkpointing=True)
    assert again.computing == pytest.approx(4 / 3 * step().computing)


@pytest.mark.parametrize(
    ("kind", "width"),
    [
        ("llama", SMALL["intermediate_size"]),
        ("qwen3_moe", SMALL["num_experts_per_tok"] * SMALL["moe_intermediate_size"]),
    ],
)
def test_tiles_add_a_forward_pass_of_their_blocks(
    kind: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Architecture.from_config(SMALL | {"model_type": kind})
    training = replace(TRAINING, activation_checkpointing=True)
    whole = StepTime.of(model, training, NODE).computing
    monkeypatch.setattr(memory, "TILE_ELEMENTS", 100 * width)
    tiled = StepTime.of(model, training, NODE).computing
    weights = 2 * 3 * SMALL["hidden_size"] * width
    expected = 2 * weights * step_tokens(training) / (4 * 0.5 * DEVICE.fp32)
    assert tiled - whole == pytest.approx(expected)


@pytest.mark.parametrize(("stage", "times"), [(0, 2), (1, 2), (2, 4), (3, 9)])
def test_zero_sends_the_parameters_as_often_as_its_stage_says(stage: int, times: int) -> None:
    sent = times * 4 * MODEL.parameters * 3 / 4
    assert step(zero_stage=stage).collectives == pytest.approx(sent / LINK)


def test_the_third_stage_s_collectives_run_beside_computing() -> None:
    assert step(zero_stage=3).seconds == max(
        step(zero_stage=3).computing, step(zero_stage=3).collectives
    )
    assert step(zero_stage=1).seconds == step().computing + step().collectives


def test_experts_that_are_spread_send_tokens_instead_of_their_gradients() -> None:
    alone, spread = step(), step(layout=Layout(4, expert_size=4))
    saved = 2 * 4 * MODEL.routed_parameters * 3 / 4 / LINK
    assert alone.collectives - spread.collectives == pytest.approx(saved)
    there_and_back, passes, layers = 2, 2 * 3, 2
    elements = 512 * 64 * MODEL.feed_forward[0].chosen * layers
    assert spread.exchanges == pytest.approx(passes * there_and_back * elements * 4 * 3 / 4 / LINK)


def test_sequences_that_are_shared_exchange_queries_keys_values_and_outputs() -> None:
    shared = step(layout=Layout(4, sequence_size=2))
    elements = 256 * 16 * (4 + 4 + 2 + 2) * 2
    assert shared.exchanges == pytest.approx(2 * 3 * elements * 4 / 2 / LINK)
    repeated = step(layout=Layout(4, sequence_size=4))
    elements = 128 * 16 * (4 + 4 + 2 * (2 + 2)) * 2
    assert repeated.exchanges == pytest.approx(2 * 3 * elements * 4 * 3 / 4 / LINK)


def test_an_offloaded_optimizer_costs_its_way_and_its_step() -> None:
    part = MODEL.parameters / 4
    sent = 2 * 4 * part / (LINK_EFFICIENCY * DEVICE.host_link)
    assert step(offload_optimizer=True).host == pytest.approx(sent + 28 * part / DEVICE.host_memory)
    assert step().host == 0


def test_one_process_sends_nothing() -> None:
    alone = step(layout=Layout(1))
    assert (alone.collectives, alone.exchanges) == (0, 0)
