"""What passes hold in memory, and how large they may be for a given amount of it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_models import a_model

from lccp.cost.architecture import Architecture
from lccp.cost.planning.evaluators import EvaluatorMemory
from lccp_evaluator.model.execution import HEAD_ROWS, LEAST_STEP_TOKENS
from lccp_evaluator.model.memory import PLANNED, fitting, held_bytes, memory_bytes
from lccp_evaluator.model.size import Size

GB = 10**9
SMALL = Size(
    weight_bytes=2 * 7 * GB,
    devices=1,
    multiplied=7 * GB,
    vocabulary=128_000,
    hidden=4_096,
    attention_width=32 * 4_096,
    widest=14_336,
    cache_bytes=32 * 2 * 1_024 * 2,
    value_bytes=2,
)
"""Of a model like Llama 3 8B, in bfloat16."""


def test_weights_cache_logits_and_activations_are_held() -> None:
    held = held_bytes(SMALL, step_tokens=8_192, slots=65_536, head_rows=1_024)
    weights, cache = 14 * GB, 65_536 * 131_072
    logits = 1_024 * 128_000 * 2 + 256 * 128_000 * 4
    activations = 8_192 * (8 * 4_096 + 14_336) * 2

    assert held == weights + cache + logits + activations


def test_devices_that_share_a_model_share_weights_and_cache() -> None:
    one, two = (held_bytes(replace(SMALL, devices=n), 8_192, 65_536, 1_024) for n in (1, 2))

    assert one - two == (14 * GB + 65_536 * 131_072) // 2


@pytest.mark.parametrize("kind", ["llama", "qwen3_moe"])
def test_a_plan_of_the_run_counts_the_same_from_the_configuration(kind: str) -> None:
    model = a_model(kind).bfloat16()
    size, tokens = Size.of(model), 65_536

    told = EvaluatorMemory.of(Architecture.from_config(model.config.to_dict()), tokens, shards=1)

    assert (told.weights, told.cache) == (size.weight_bytes, tokens * size.cache_bytes)
    passes = held_bytes(size, 8_192, tokens, HEAD_ROWS) - told.weights - told.cache
    assert passes <= told.passes < 2 * passes


@pytest.mark.parametrize(
    ("gigabytes", "tokens"),
    [(80, 8_192), (26.5, 8_192), (26, 4_096), (25.8, 2_048), (1, LEAST_STEP_TOKENS)],
)
def test_passes_are_as_large_as_the_memory_lets_them_be(gigabytes: float, tokens: int) -> None:
    slots = 65_536
    room = int(gigabytes * GB)

    assert fitting(SMALL, 8_192, slots, HEAD_ROWS, room) == tokens
    if tokens > LEAST_STEP_TOKENS:
        assert held_bytes(SMALL, tokens, slots, HEAD_ROWS) <= PLANNED * room
    if tokens < 8_192:
        assert held_bytes(SMALL, 2 * tokens, slots, HEAD_ROWS) > PLANNED * room


def test_a_size_counts_the_widest_matrix() -> None:
    assert Size.of(a_model("llama")).widest == 97


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_pods_limit_counts_and_processes_share_it(tmp_path: Path, name: str) -> None:
    limit = tmp_path / name
    limit.parent.mkdir(exist_ok=True)
    limit.write_text(f"{10**6}\n")
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    assert memory_bytes("cpu", 2, tmp_path) == 500_000
    limit.write_text("max\n")
    assert memory_bytes("cpu", 2, tmp_path) == whole // 2
    limit.write_text(f"{2**63}\n")
    assert memory_bytes("cpu", 1, tmp_path) == whole
