import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lccp.cost.planning.evaluators import EvaluatorMemory, EvaluatorPlan
from lccp_cli.output.device_plan import evaluator_lines

Lccp = Callable[..., Result]


def test_the_plan_counts_an_evaluator_too(lccp: Lccp, large: Callable[..., Path]) -> None:
    path = large(activationCheckpointing=True, deepspeed={"zeroStage": 3})
    result = lccp("plan", path, "--device", "h100-80g")
    document = json.loads(lccp("plan", path, "--device", "h100-80g", "--json").stdout)
    assert "memory of an evaluator" in result.output
    assert "of 71.7 GiB, evaluation.shards: 1" in result.output
    assert document["evaluator"]["fittingShards"] == 1
    assert document["evaluator"]["memory"]["weights"] > 0


@pytest.mark.slow
def test_a_layout_that_does_not_fit_ends_with_1_and_says_what_would(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    result = lccp("plan", large(microBatchSize=16), "--device", "a100-40g")
    assert result.exit_code == 1
    assert "Does not fit: a process holds" in result.output
    assert "The fastest that fits: zeroStage" in result.output


def test_options_of_a_device_are_refused_without_one(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    result = lccp("plan", large(), "--network-gbits", "100")
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: --network-gbits: give --device with it: one of a100-40g")


def test_shards_that_the_manifest_names_are_named_in_the_advice() -> None:
    memory = EvaluatorMemory(weights=100, cache=0, passes=0)

    def advice(shards: int) -> str:
        return list(evaluator_lines(EvaluatorPlan(memory, 128, shards, 50, 4)))[-1][1]

    assert advice(1) == "fits with evaluation.processes: 4, or a multiple of it"
    assert advice(2).startswith("fits with evaluation.shards: 4 and evaluation.processes: 4")
