import json
from collections.abc import Callable
from pathlib import Path

import a_run
import any_probe
import pytest
from typer.testing import Result

from lccp.analysis.correlation import correlations
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput
from lccp_cli.commands.analyze import show_own_power

pytestmark = pytest.mark.slow

Lccp = Callable[..., Result]
RECORDED = Path(__file__).parents[2] / "fixtures" / "stored" / "v2" / "default" / "tiny"
"""A run with an external suite."""


def test_analyze_prints_checkpoints_verdict_and_advice(lccp: Lccp, stored: Path) -> None:
    result = lccp("analyze", stored)
    verdict = a_run.verdict()
    assert result.exit_code == 0
    assert all(f"{c.values['niah_ppl']:.4f}" in result.output for c in verdict.checkpoints)
    assert "Saturated since 1.43 M tokens" in result.output
    assert result.output.endswith(f"{verdict.advice}\n")
    assert "\x1b" not in result.output


def test_analyze_json_is_the_verdict(lccp: Lccp, stored: Path) -> None:
    printed = Verdict.from_json(lccp("analyze", stored, "--json").stdout_bytes, "stdout")
    assert printed == a_run.verdict()


def test_analyze_judges_signals_of_external_suites_too(lccp: Lccp) -> None:
    printed = Verdict.from_json(lccp("analyze", RECORDED, "--json").stdout_bytes, "stdout")
    assert "words/known" in printed.checkpoints[-1].values


def test_analyze_judges_by_the_policy_that_is_asked_for(lccp: Lccp, stored: Path) -> None:
    options = ("--horizon-tokens", "500K", "--min-gain", "0.004", "--patience", "3")
    verdict = json.loads(lccp("analyze", stored, "--json", *options).stdout)
    assert verdict["policy"]["horizonTokens"] == 500_000
    assert (verdict["policy"]["minGain"], verdict["policy"]["patience"]) == (0.004, 3)
    assert verdict["state"] != "Saturated"


def test_analyze_takes_any_folder_of_reports(lccp: Lccp, tmp_path: Path) -> None:
    for i, report in enumerate(a_run.reports()):
        (tmp_path / f"r{i}").mkdir()
        (tmp_path / f"r{i}" / "report.json").write_bytes(report.to_json())
    verdict = json.loads(lccp("analyze", tmp_path, "--json").stdout)
    assert [c["tokens"] for c in verdict["checkpoints"]] == list(a_run.CHECKPOINTS)
    assert verdict["policy"]["horizonTokens"] == a_run.CHECKPOINTS[-1] // 8


def a_folder(root: Path) -> Path:
    for i, report in enumerate(a_run.reports()):
        (root / f"r{i}").mkdir()
        (root / f"r{i}" / "report.json").write_bytes(report.to_json())
    return root


def test_a_budget_makes_the_horizon_of_a_bare_folder(lccp: Lccp, tmp_path: Path) -> None:
    options = ("--budget", "4M", "--warmup-tokens", "100K", "--schedule", "Decaying")
    verdict = json.loads(lccp("analyze", a_folder(tmp_path), "--json", *options).stdout)
    policy = verdict["policy"]
    assert (policy["budgetTokens"], policy["horizonTokens"]) == (4_000_000, 500_000)
    assert policy["horizonSource"] == "Budget"
    assert (policy["warmupTokens"], policy["constantSchedule"]) == (100_000, False)


def test_a_horizon_that_is_given_is_not_that_of_the_budget(lccp: Lccp, tmp_path: Path) -> None:
    options = ("--budget", "4M", "--horizon-tokens", "300K")
    verdict = json.loads(lccp("analyze", a_folder(tmp_path), "--json", *options).stdout)
    assert verdict["policy"]["horizonTokens"] == 300_000
    assert verdict["policy"]["horizonSource"] == "Given"


def test_a_budget_that_is_none_is_refused_with_the_option(lccp: Lccp, tmp_path: Path) -> None:
    result = lccp("analyze", a_folder(tmp_path), "--budget", "much")
    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: --budget: must be a number of tokens")


@pytest.mark.parametrize(
    ("option", "text", "sentence"),
    [
        ("--budget", "1M", "--budget: must be at least {newest}, the tokens of the newest"),
        ("--warmup-tokens", "{newest}", "--warmup-tokens: must be less than {newest}, the tokens"),
    ],
)
def test_a_budget_or_a_warm_up_that_contradicts_the_checkpoints_is_refused(
    lccp: Lccp, stored: Path, option: str, text: str, sentence: str
) -> None:
    newest = a_run.CHECKPOINTS[-1]
    result = lccp("analyze", stored, option, text.format(newest=newest))
    assert result.exit_code == 2
    assert sentence.format(newest=newest) in result.stderr


def test_the_budget_may_lie_within_the_step_of_the_newest_checkpoint(
    lccp: Lccp, stored: Path
) -> None:
    budget = a_run.CHECKPOINTS[-1] - 1
    assert lccp("analyze", stored, "--budget", budget).exit_code == 0


def young(root: Path) -> Path:
    """Five reports, by which the run is not trained for a horizon of its budget."""
    folder = a_folder(root)
    for i in (0, *range(6, len(a_run.CHECKPOINTS))):
        (folder / f"r{i}" / "report.json").unlink()
    return folder


def test_power_goes_by_the_checkpoints_until_the_budget(lccp: Lccp, tmp_path: Path) -> None:
    result = lccp("analyze", young(tmp_path), "--power", "--budget", "4M")
    own = result.output.splitlines()[3].split()
    every = a_run.CHECKPOINTS[1]
    assert result.exit_code == 0, result.output
    assert own[:3] == [str(4_000_000 // every), str(a_run.HAYSTACKS), str(a_run.NEEDLES)]


def test_power_goes_by_the_noise_of_the_run_in_a_table_and_as_json(
    lccp: Lccp, stored: Path
) -> None:
    printed = json.loads(lccp("analyze", stored, "--power", "--json").stdout)
    result = lccp("analyze", stored, "--power")
    (niah,) = printed["signals"]
    assert result.exit_code == 0
    assert result.output.startswith(f"NIAH-PPL jitters by {niah['jitter']:.2g} minGain")
    assert "checkpoints   haystacks   needles   within 4 T" in result.output
    assert "plateaus within four horizons" in result.output.splitlines()[-1]
    assert result.output.endswith(f"{niah['advice']}\n")


def test_power_is_not_told_where_nothing_can_be_saturated(lccp: Lccp, tmp_path: Path) -> None:
    folder = young(tmp_path)
    decaying = lccp("analyze", folder, "--power", "--budget", "4M", "--schedule", "Decaying")
    short = lccp("analyze", folder, "--power", "--budget", "4M", "--patience", "9")
    early = lccp("analyze", folder, "--power", "--horizon-tokens", "4M")
    below = lccp("analyze", folder, "--power", "--horizon-tokens", "25")
    assert [one.exit_code for one in (decaying, short, early, below)] == [2, 2, 2, 2]
    assert "is shorter than a step of training" in below.stderr
    assert "a decaying learning rate" in decaying.stderr
    assert "the patience is 9 horizons of 500,000 tokens" in short.stderr
    assert "no checkpoint up to 512,000 tokens" in early.stderr


def test_power_is_of_the_clusters_that_the_leading_signal_was_measured_by(
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = a_run.policy().model_copy(update={"signals": ("target_ppl",)})
    show_own_power(a_run.reports(), policy)
    title, _, head, own, *_ = capsys.readouterr().out.splitlines()
    assert title.startswith("Target PPL jitters by ")
    assert head.split()[:2] == ["checkpoints", "documents"]
    assert own.split()[1] == str(any_probe.CLUSTERS)


def test_power_is_also_that_of_the_gate_by_the_noise_of_its_signals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = ("niah_ppl_guard not regressing", "colour_ppl not regressing")
    show_own_power(a_run.reports(), a_run.policy().model_copy(update={"gate": gate}), json=True)
    printed = json.loads(capsys.readouterr().out)
    (found,) = printed["gate"]
    assert (found["signal"], found["answer"]) == ("niah_ppl_guard", "Yes")
    assert found["plans"][0]["clusters"] == printed["signals"][0]["plans"][0]["clusters"]
    assert printed["notSimulated"] == [
        f"{gate[1]}: colour_ppl was not measured, so its noise is unknown"
    ]


def test_power_needs_a_signal_that_was_measured() -> None:
    policy = a_run.policy().model_copy(update={"signals": ("colour_ppl",)})
    with pytest.raises(InvalidInput, match="colour_ppl: was not measured"):
        show_own_power(a_run.reports(), policy)


def test_correlations_are_a_row_for_each_pair_with_a_warning(lccp: Lccp, stored: Path) -> None:
    result = lccp("analyze", stored, "--correlations")
    expected = correlations(a_run.verdict())
    assert result.exit_code == 0
    (row,) = (line for line in result.output.splitlines() if "NIAH-PPL and Retrieval heads" in line)
    assert str(len(a_run.CHECKPOINTS) - 1) in row.split()
    assert result.output.endswith("".join(f"{note}\n" for note in expected.notes))


def test_correlations_as_json_hold_every_pair(lccp: Lccp, stored: Path) -> None:
    printed = json.loads(lccp("analyze", stored, "--correlations", "--json").stdout)
    assert printed == correlations(a_run.verdict()).document()


def test_power_and_correlations_are_asked_one_at_a_time(lccp: Lccp, stored: Path) -> None:
    result = lccp("analyze", stored, "--correlations", "--power")
    assert result.exit_code == 2
    assert "one at a time" in result.stderr
