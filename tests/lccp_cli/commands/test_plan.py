import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Lccp = Callable[..., Result]
TRAINING = {"tokens": "4M", "globalBatchTokens": 4_096, "learningRate": "1.5e-4"}


@pytest.mark.slow
def test_plan_says_what_would_see_a_plateau_in_a_table_and_as_json(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    path = manifest(training=TRAINING)
    printed = json.loads(lccp("plan", path, "--jitter", "0.2", "--json").stdout)
    told = lccp("plan", path, "--jitter", "0.2")
    first, _, head, own_row, *_, advice = table = told.output.splitlines()
    assert told.exit_code == 0
    assert first.startswith("Assumed: checkpoints jitter by 0.2 minGain")
    assert head.split()[:3] == ["checkpoints", "haystacks", "needles"]
    assert int(own_row.split()[0]) > 0
    assert "plateaus within four horizons" in advice
    (niah,) = printed["signals"]
    assert (niah["signal"], niah["jitter"]) == ("niah_ppl", 0.2)
    assert len(niah["plans"]) == len(table) - 4
    own = niah["plans"][0]
    shown = (own["checkpoints"], *own["clusters"].values(), f"{own['within']:.0%}")
    assert list(own["clusters"]) == ["haystack", "needle"]
    assert own_row.split()[:4] == [str(value) for value in shown]
    assert niah["advice"] == advice


def test_what_hinders_a_plan_is_json_too(lccp: Lccp, manifest: Callable[..., Path]) -> None:
    result = lccp("plan", manifest(training=TRAINING, saturation={"patience": 16}), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["obstacle"].startswith("a saturation needs 5 checkpoints")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signal", "probe", "settings", "clusters"),
    [
        ("corpus_ppl/english", "corpusPpl", {"documents": 12}, {"document": 12}),
        ("multi_key_ppl/4", "multiKey", {"sets": 5}, {"haystack": 4, "set": 5}),
        ("bio_ppl", "bio", {"documents": 7}, {"document": 7, "attribute": 6}),
        ("target_ppl", "targetPpl", {"path": "own.jsonl", "questions": 30}, {"context": 30}),
        ("interference_slope", "interference", {}, {"haystack": 10, "needle": 4}),
    ],
)
def test_power_is_that_of_the_clusters_of_the_probe_that_leads(
    lccp: Lccp,
    manifest: Callable[..., Path],
    signal: str,
    probe: str,
    settings: dict[str, object],
    clusters: dict[str, int],
) -> None:
    leads = {"evaluation": {"probes": {probe: settings}}, "saturation": led_by(signal)}
    printed = json.loads(lccp("plan", manifest(training=TRAINING, **leads), "--json").stdout)
    (found,) = printed["signals"]
    assert found["signal"] == signal
    assert found["plans"][0]["clusters"] == clusters


def led_by(*signals: str, quorum: int | None = None) -> dict[str, object]:
    asked = {"quorum": quorum} if quorum else {}
    return {"signals": [{"name": name} for name in signals], **asked}


def test_a_leading_suite_has_no_clusters_to_simulate(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    suite = {"suites": [{"name": "my-words", "command": ["count"], "signals": ["known"]}]}
    leads = {"evaluation": suite, "saturation": led_by("my_words/known")}
    result = lccp("plan", manifest(training=TRAINING, **leads))
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: my_words/known: an external suite measures it")
    assert "lccp analyze --power" in result.stderr


@pytest.mark.slow
def test_each_primary_signal_has_its_own_table_or_a_reason(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    leads = led_by("niah_ppl", "bio_score", "retrieval_heads", "multi_key_ppl/2", quorum=1)
    asked = {"saturation": leads, "evaluation": {"probes": {"bio": {}, "retrievalHeads": {}}}}
    output = lccp("plan", manifest(training=TRAINING, **asked)).output
    assert output.count("share of plateaus that are judged Saturated") == 2
    told = [line for line in output.splitlines() if line.startswith("Not simulated: ")]
    assert told[0].startswith("Not simulated: retrieval_heads: its probe retrieval_heads reports")
    assert told[1].startswith("Not simulated: multi_key_ppl/2: its probe multi_key is off")


@pytest.mark.slow
def test_a_signal_that_only_the_gate_names_is_simulated(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    gate = ["recovery not regressing", "guards not regressing", "multi_key_ppl/2 gain > 0"]
    gate.append("recovery > 1")
    path = manifest(training=TRAINING, saturation={"gate": gate})
    printed = json.loads(lccp("plan", path, "--json").stdout)
    found = {(one["sentence"], one["signal"]): one for one in printed["gate"]}
    assert set(found) == {(gate[0], "recovery"), (gate[1], "niah_ppl_guard")}
    recovery = found[gate[0], "recovery"]
    assert list(recovery["plans"][0]["clusters"]) == ["haystack", "needle"]
    assert recovery["answer"] == "Yes"
    assert [one.partition(":")[0] for one in printed["notSimulated"]] == gate[2:]


def test_plan_refuses_a_layout_that_the_trainer_would(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("plan", manifest(training=TRAINING, topology={"nodes": 3}))
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: training.globalBatchTokens: 4096 is not a multiple of")


def test_plan_refuses_one_that_can_never_be_saturated(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("plan", manifest(training=TRAINING, saturation={"patience": 16}))
    assert result.exit_code == 1
    assert result.output.startswith("Never Saturated: a saturation needs 5 checkpoints")
    assert "saturation.horizonTokens of at most" in result.output
