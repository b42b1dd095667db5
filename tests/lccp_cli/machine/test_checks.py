import pytest

from lccp_cli.machine import checks


def test_a_library_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "version_of", lambda name: None if name == "torch" else "1")
    torch, *others = checks.libraries()
    assert (torch.ok, torch.seen) == (False, "not installed")
    assert "pip install -e '.[trainer]' in the checkout" in torch.advice
    assert all(check.ok for check in others)


def test_memory_that_is_not_known_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "memory_bytes", lambda: None)
    (memory,) = (check for check in checks.machine() if check.name == "memory")
    assert (memory.ok, memory.seen) == (True, "unknown")


def test_tools_of_a_cluster_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    assert [(check.ok, check.needed) for check in checks.tools()] == [(False, False)] * 2


def test_a_distribution_that_is_there_has_a_version() -> None:
    assert checks.version_of("typer")
    assert checks.version_of("no-such-distribution") is None
