import json
from collections.abc import Callable
from pathlib import Path

import pytest
from planned import CONFIG
from planned import manifest as planned
from typer.testing import Result

Lccp = Callable[..., Result]
FITS = {"activationCheckpointing": True, "deepspeed": {"zeroStage": 3}}


@pytest.fixture
def large(workplace: Path) -> Callable[..., Path]:
    """Writes the manifest of a run that needs accelerators; arguments are its training's."""

    def write(**training: object) -> Path:
        (workplace / "example" / "m").mkdir(exist_ok=True)
        (workplace / "example" / "m" / "config.json").write_text(json.dumps(CONFIG))
        path = workplace / "example" / "large.yaml"
        path.write_text(json.dumps(planned(**training)))
        return path

    return write


def test_the_plan_on_a_device_tells_memory_speed_and_cost_and_what_fits(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    result = lccp("plan", large(**FITS), "--device", "h100-80g", "--price", "3")
    lines = [line.split(maxsplit=1) for line in result.output.splitlines()]
    told = {name: rest for name, *rest in reversed(lines) if rest}
    assert result.exit_code == 0, result.output
    assert told["memory"][0].endswith("of 71.7 GiB")
    assert {"weights", "gradients", "optimizer", "activations", "buffers"} <= set(told)
    hours = float(told["accelerator-hours"][0])
    assert float(told["cost"][0]) == pytest.approx(3 * hours, rel=0.1)
    assert "Layouts that fit, the 10 fastest of" in result.output
    assert "memory of an evaluator" in result.output
    assert "of 71.7 GiB, evaluation.shards: 1" in result.output


@pytest.mark.slow
def test_the_json_holds_the_same_and_the_hours_follow_the_options(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    def asked(*options: str) -> dict[str, float]:
        result = lccp("plan", large(**FITS), "--device", "h100-80g", "--json", *options)
        assert result.exit_code == 0
        found = json.loads(result.stdout)
        assert len(found["layouts"]) == 10 < found["fitting"]
        assert found["evaluator"]["fittingShards"] == 1
        own: dict[str, float] = found["asked"]
        return own

    own = asked()
    assert own["zeroStage"] == 3
    assert "cost" not in own
    assert asked("--price", "2")["cost"] == pytest.approx(2 * own["acceleratorHours"])
    assert asked("--efficiency", "0.2")["hours"] > 1.5 * own["hours"]
    assert asked("--nodes", "2")["hours"] < own["hours"]
    slow = asked("--nodes", "2", "--network-gbits", "10")
    assert slow["hours"] > 2 * asked("--nodes", "2")["hours"]


@pytest.mark.slow
def test_a_layout_that_does_not_fit_ends_with_1_and_says_what_would(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    result = lccp("plan", large(microBatchSize=16), "--device", "a100-40g")
    assert result.exit_code == 1
    assert "Does not fit: a process holds" in result.output
    assert "The fastest that fits: zeroStage" in result.output


def test_what_branches_train_is_counted(lccp: Lccp, large: Callable[..., Path]) -> None:
    path = large(**FITS)
    alone = lccp("plan", path, "--device", "h100-80g", "--json")
    document = json.loads(path.read_text())
    document["spec"]["checkpoints"]["anneal"] = {"atTokens": ["400M", "800M"], "tokens": "250M"}
    path.write_text(json.dumps(document))
    branched = lccp("plan", path, "--device", "h100-80g", "--json")
    hours = [json.loads(one.stdout)["asked"]["hours"] for one in (alone, branched)]
    assert hours[1] / hours[0] == pytest.approx(1.5, rel=0.01)
    assert "tokens of branches      503 M" in lccp("plan", path, "--device", "h100-80g").output


def test_options_of_a_device_are_refused_without_one(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    result = lccp("plan", large(), "--network-gbits", "100")
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: --network-gbits: give --device with it: one of a100-40g")
