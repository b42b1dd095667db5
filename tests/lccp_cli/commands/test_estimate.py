import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import hub_server
from seaweedfs import SeaweedFS
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
    assert f"scratch of the first pod    {14 * parameters / 2**20:.3g} MiB" in result.output
    hours = flops * 2 * 102_400 / (1e9 * 0.5) / 3_600
    assert f"{hours:.3g} at 50%" in lines["accelerator-hours"]


@pytest.mark.parametrize("given", ["-5", "0", "nan", "inf"])
def test_a_speed_that_no_accelerator_has_is_refused(
    lccp: Lccp, manifest: Callable[..., Path], given: str
) -> None:
    result = lccp("estimate", manifest(), "--flops-per-second", given)
    assert result.exit_code == 2
    assert "Invalid value for '--flops-per-second'" in result.stderr


def test_estimate_refuses_a_layout_that_the_trainer_would(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    path = manifest(topology={"nodes": 3})
    (path.parent / "model" / "config.json").write_text(json.dumps(LLAMA))
    result = lccp("estimate", path)
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: training.globalBatchTokens: ")


def test_estimate_compares_scratch_with_what_the_pods_request(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    def estimated(**resources: dict[str, str]) -> Result:
        path = manifest(topology={"resources": resources})
        (path.parent / "model" / "config.json").write_text(json.dumps(LLAMA))
        return lccp("estimate", path)

    enough, little = {"ephemeral-storage": "1Gi"}, {"ephemeral-storage": "1Ki"}
    assert "requested                 none: a node short of disk" in estimated().output
    assert "requested                 1Ki: " in estimated(requests=little).output
    assert "requested" not in estimated(requests=enough).output + estimated(limits=enough).output
    refused = estimated(limits=little)
    assert refused.exit_code == 2
    assert "topology.resources.limits.ephemeral-storage: 1Ki is too small for" in refused.stderr


def test_estimate_names_a_model_that_it_cannot_count(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("estimate", manifest())
    assert result.exit_code == 2
    assert "config.json: model_type None can't be counted" in result.stderr


@pytest.mark.slow
def test_of_a_model_on_a_hub_the_configuration_alone_is_fetched(
    lccp: Lccp, manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = manifest(model={"source": "hf://org/base", "targetContextLength": 512})
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    files = {"config.json": json.dumps(LLAMA).encode(), "model.safetensors": b"weights"}
    with hub_server() as hub:
        hub.repository("models/org/base", files)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        result = lccp("estimate", path)
        planned = lccp("plan", path, "--device", "h100-80g")

    assert result.exit_code == 0, result.output
    assert planned.exit_code == 0, planned.output
    assert [one.name for one in tmp_path.rglob("cache/*/config.json")] == ["config.json"]
    assert not list(tmp_path.rglob("cache/**/*.safetensors"))


@pytest.mark.s3
def test_a_bucket_without_a_configuration_is_named(
    lccp: Lccp, manifest: Callable[..., Path], seaweedfs: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    source = f"s3://{seaweedfs.bucket}/no/model"
    path = manifest(model={"source": source, "targetContextLength": 512})
    result = lccp("estimate", path, "--endpoint", seaweedfs.endpoint)

    assert result.exit_code == 2, result.output
    assert f"spec.model.source: there is no object {source}, and none below it" in result.stderr
