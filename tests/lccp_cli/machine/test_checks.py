import pytest

from lccp_cli.machine import checks
from lccp_trainer.launch.accelerators import Accelerators


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


H100 = Accelerators(8, "NVIDIA H100", 80 * 2**30, bf16=True, driver="570.1", nccl="2.27.3")


def told(found: Accelerators) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.ok, check.seen) for check in checks.accelerators(found)}


def test_devices_driver_nccl_and_bf16_are_told() -> None:
    assert told(H100) == {
        "accelerators": (True, "8 x NVIDIA H100, 80 GiB each"),
        "driver": (True, "570.1"),
        "nccl": (True, "2.27.3"),
        "bf16": (True, "yes"),
    }


def test_nothing_of_it_is_needed_by_a_run_on_cpus() -> None:
    for found in (H100, Accelerators(), Accelerators(1, "T4", 2**34, driver="1")):
        assert not any(check.needed for check in checks.accelerators(found))
    assert list(checks.accelerators(None)) == []


def test_without_devices_no_driver_is_missing() -> None:
    (devices,) = checks.accelerators(Accelerators())
    assert devices.advice == (
        "only needed by runs that request them; if there are any, install their driver"
    )


def test_a_driver_without_a_build_of_pytorch_for_it_is_told_so() -> None:
    devices, *_ = checks.accelerators(Accelerators(driver="570.1"))
    assert not devices.ok
    assert devices.advice.startswith("the driver is installed: install a PyTorch build")
