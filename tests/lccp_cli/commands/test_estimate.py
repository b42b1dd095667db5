import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Lccp = Callable[..., Result]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
}


def test_estimate_counts_parameters_flops_and_hours(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    path = manifest()
    (path.parent / "model" / "config.json").write_text(json.dumps(LLAMA))
    result = lccp("estimate", path, "--flops-per-second", "1e9", "--mfu", "0.5")
    lines = dict(line.split(maxsplit=1) for line in result.output.splitlines() if line)
    per_layer = 4 * 64 * 64 + 3 * 64 * 128 + 2 * 64
    parameters = 2 * 100 * 64 + 2 * per_layer + 64
    flops = 6 * (parameters + 2 * 512 * 64)
    assert lines["parameters"] == f"{parameters / 1e3:.3g} K"
    mantissa, exponent = f"{flops:.1e}".split("e+0")
    assert f"FLOPs per token             {mantissa} × 10" in result.output, exponent
    hours = flops * 2 * 102_400 / (1e9 * 0.5) / 3_600
    assert f"{hours:.3g} at 50%" in lines["accelerator-hours"]


def test_estimate_refuses_a_layout_that_the_trainer_would(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    path = manifest(topology={"nodes": 3})
    (path.parent / "model" / "config.json").write_text(json.dumps(LLAMA))
    result = lccp("estimate", path)
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: training.globalBatchTokens: ")


def test_estimate_names_a_model_that_it_cannot_count(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("estimate", manifest())
    assert result.exit_code == 2
    assert "config.json: model_type None can't be counted" in result.stderr


def test_a_model_that_is_not_here_is_asked_for(lccp: Lccp, manifest: Callable[..., Path]) -> None:
    model = {"source": "hf://org/base", "targetContextLength": 512}
    result = lccp("estimate", manifest(model=model))

    assert result.exit_code == 2
    assert "hf://org/base is not on this machine: give --model" in result.output
