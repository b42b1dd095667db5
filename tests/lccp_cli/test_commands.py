import json
from collections.abc import Callable
from pathlib import Path

import a_run
import pytest
from typer.testing import Result

from lccp.api.objects.verdict import Verdict
from lccp_cli import checks

Lccp = Callable[..., Result]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "intermediate_size": 128,
    "vocab_size": 100,
}


def test_analyze_prints_checkpoints_verdict_and_advice(lccp: Lccp, stored: Path) -> None:
    result = lccp("analyze", stored)
    verdict = a_run.verdict()
    assert result.exit_code == 0
    assert all(f"{c.niah_ppl:.4f}" in result.output for c in verdict.checkpoints)
    assert "Saturated since 1.43 M tokens" in result.output
    assert result.output.endswith(f"{verdict.advice}\n")
    assert "\x1b" not in result.output


def test_analyze_json_is_the_verdict(lccp: Lccp, stored: Path) -> None:
    printed = Verdict.from_json(lccp("analyze", stored, "--json").stdout_bytes, "stdout")
    assert printed == a_run.verdict()


def test_analyze_judges_by_the_policy_that_is_asked_for(lccp: Lccp, stored: Path) -> None:
    options = ("--horizon-tokens", "500K", "--min-gain", "0.004", "--patience", "3")
    verdict = json.loads(lccp("analyze", stored, "--json", *options).stdout)
    assert verdict["horizonTokens"] == 500_000
    assert (verdict["minGain"], verdict["patience"]) == (0.004, 3)
    assert verdict["state"] != "Saturated"


def test_analyze_takes_any_folder_of_reports(lccp: Lccp, tmp_path: Path) -> None:
    for i, report in enumerate(a_run.reports()):
        (tmp_path / f"r{i}").mkdir()
        (tmp_path / f"r{i}" / "report.json").write_bytes(report.to_json())
    verdict = json.loads(lccp("analyze", tmp_path, "--json").stdout)
    assert [c["tokens"] for c in verdict["checkpoints"]] == list(a_run.CHECKPOINTS)
    assert verdict["horizonTokens"] == a_run.CHECKPOINTS[-1] // 8


@pytest.mark.parametrize("as_url", [False, True])
def test_report_is_written_into_the_folder_or_where_asked(
    lccp: Lccp, stored: Path, tmp_path: Path, as_url: bool
) -> None:
    target = f"file://{stored}" if as_url else str(stored)
    out = tmp_path / "pages" / "a.html"
    options = ["--out", str(out)] if as_url else []
    result = lccp("report", target, *options)
    page = out if as_url else stored / "report.html"
    assert (result.exit_code, result.stdout) == (0, f"{page}\n")
    assert "Saturated since 1.43 M tokens" in page.read_text()


def test_reports_within_the_source_context_are_shown_but_not_judged(
    lccp: Lccp, tmp_path: Path
) -> None:
    report = a_run.report(0)
    niah = report.probes.niah
    cells = tuple(cell for cell in niah.cells if cell.length <= a_run.SOURCE_LENGTH)
    within = niah.model_copy(update={"cells": cells, "bands": {"guard": niah.bands["guard"]}})
    probes = report.probes.model_copy(update={"niah": within})
    (tmp_path / "report.json").write_bytes(report.model_copy(update={"probes": probes}).to_json())
    assert lccp("report", tmp_path).exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert "there is no extension to judge" in page
    assert f"{niah.bands['guard'].ppl:.4f}" in page


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


def test_estimate_names_a_model_that_it_cannot_count(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("estimate", manifest())
    assert result.exit_code == 2
    assert "config.json: model_type None can't be counted" in result.stderr


def test_doctor_finds_this_machine_fit(lccp: Lccp) -> None:
    result = lccp("doctor")
    assert "missing torch" not in result.output
    assert result.exit_code == int(any(c.needed and not c.ok for c in checks.checks()))


def test_doctor_says_how_to_get_what_is_missing(
    lccp: Lccp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "version_of", lambda name: None if name == "torch" else "1")
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    result = lccp("doctor")
    assert result.exit_code == 1
    assert "missing torch         not installed  (pip install 'lccp[trainer]'" in result.output
    assert "missing helm          not on PATH; only needed for a cluster" in result.output


def test_tools_of_a_cluster_are_not_needed(lccp: Lccp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "version_of", lambda name: "1")
    monkeypatch.setattr(checks, "_memory", lambda: None)
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    assert lccp("doctor").exit_code == 0
