from collections.abc import Callable

import pytest
from typer.testing import Result

from lccp_cli.commands import doctor

Lccp = Callable[..., Result]


def test_doctor_finds_this_machine_fit(lccp: Lccp) -> None:
    result = lccp("doctor")
    assert "missing torch" not in result.output
    assert result.exit_code == int(any(c.needed and not c.ok for c in doctor.checks()))


def test_doctor_says_how_to_get_what_is_missing(
    lccp: Lccp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda name: None if name == "torch" else "1")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    result = lccp("doctor")
    assert result.exit_code == 1
    assert "missing torch         not installed  (pip install 'lccp[trainer]'" in result.output
    assert "missing helm          not on PATH; only needed for a cluster" in result.output


def test_tools_of_a_cluster_are_not_needed(lccp: Lccp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version_of", lambda name: "1")
    monkeypatch.setattr(doctor, "memory_bytes", lambda: None)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert lccp("doctor").exit_code == 0
