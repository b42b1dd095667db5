from lccp_cli.machine.accelerators import checks
from lccp_trainer.launch.accelerators import Accelerators

H100 = Accelerators(8, "NVIDIA H100", 80 * 2**30, bf16=True, driver="570.1", nccl="2.27.3")


def told(found: Accelerators) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.ok, check.seen) for check in checks(found)}


def test_devices_driver_nccl_and_bf16_are_told() -> None:
    assert told(H100) == {
        "accelerators": (True, "8 x NVIDIA H100, 80 GiB each"),
        "driver": (True, "570.1"),
        "nccl": (True, "2.27.3"),
        "bf16": (True, "yes"),
    }


def test_nothing_of_it_is_needed_by_a_run_on_cpus() -> None:
    for found in (H100, Accelerators(), Accelerators(1, "T4", 2**34, driver="1")):
        assert not any(check.needed for check in checks(found))
    assert list(checks(None)) == []


def test_a_driver_without_a_build_of_pytorch_for_it_is_told_so() -> None:
    devices, *_ = checks(Accelerators(driver="570.1"))
    assert not devices.ok
    assert devices.advice.startswith("the driver is there: install a build of PyTorch")
