from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lccp_cli.machine import checks
from lccp_trainer.launch import accelerators

Lccp = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerators, "detected", accelerators.Accelerators)


def test_doctor_finds_this_machine_fit(lccp: Lccp) -> None:
    result = lccp("doctor")
    assert "missing torch" not in result.output
    needed = [check for check in (*checks.machine(), *checks.libraries()) if check.needed]
    assert result.exit_code == int(not all(check.ok for check in needed))
    assert "missing accelerators  none that PyTorch can use" in result.output


def test_doctor_says_how_to_get_what_is_missing(
    lccp: Lccp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "version_of", lambda name: None if name == "torch" else "1")
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    result = lccp("doctor")
    assert result.exit_code == 1
    assert (
        "missing torch         not installed  (pip install -e '.[trainer]' in the checkout"
        in result.output
    )
    assert "missing helm          not on PATH; only needed for a cluster" in result.output


def test_doctor_says_what_of_a_run_can_t_be_carried_out(
    lccp: Lccp, manifest: Callable[..., Path]
) -> None:
    result = lccp("doctor", manifest(topology={"acceleratorResourceName": "nvidia.com/gpu"}))
    assert result.exit_code == 1
    assert "missing devices of it" in result.output
    assert "missing model, data   can't be trained  (model.source: " in result.output


def test_a_manifest_that_is_wrong_is_said(lccp: Lccp, workplace: Path) -> None:
    result = lccp("doctor", "none.yaml")
    assert result.exit_code == 2
    assert "none.yaml: can't be read" in result.stderr
