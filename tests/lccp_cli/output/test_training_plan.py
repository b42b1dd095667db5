import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Lccp = Callable[..., Result]
FITS = {"activationCheckpointing": True, "deepspeed": {"zeroStage": 3}}


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
    (head,) = (line for line in result.output.splitlines() if line.startswith("ZeRO"))
    assert head.split()[-2:] == ["accelerator-hours", "cost"]


@pytest.mark.slow
def test_the_json_holds_the_same_and_the_hours_follow_the_options(
    lccp: Lccp, large: Callable[..., Path]
) -> None:
    def asked(*options: str) -> dict[str, float]:
        result = lccp("plan", large(**FITS), "--device", "h100-80g", "--json", *options)
        assert result.exit_code == 0
        found = json.loads(result.stdout)
        assert len(found["layouts"]) == 10 < found["fitting"]
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
