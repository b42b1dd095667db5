"""The accelerators of this machine, as checks."""

from collections.abc import Iterator

from lccp.report.text import bytes_text
from lccp_cli.machine.checks import Check
from lccp_trainer.launch.accelerators import Accelerators


def checks(found: Accelerators | None) -> Iterator[Check]:
    """Devices, driver, NCCL and bfloat16; none is needed by a run on CPUs."""
    if found is None:
        return
    if found.count:
        seen = f"{found.count} x {found.name}, {bytes_text(found.memory_bytes)} each"
        yield Check("accelerators", True, seen, needed=False)
    else:
        yield Check("accelerators", False, "none that PyTorch can use", _unusable(found), False)
    driver, nccl = found.driver or "none that answers", found.nccl or "none"
    advice = "install the driver of the devices"
    yield Check("driver", found.driver is not None, driver, advice, needed=False)
    if found.count:
        advice = "install a build of PyTorch that has it: several devices speak by it"
        yield Check("nccl", found.nccl is not None, nccl, advice, needed=False)
        advice = "set training.precision to FP32: these devices compute bfloat16 slowly or not"
        yield Check("bf16", found.bf16, "yes" if found.bf16 else "no", advice, needed=False)


def _unusable(found: Accelerators) -> str:
    if found.driver is None:
        return "only needed by runs that ask for them"
    return "the driver is there: install a build of PyTorch for it, such as that of the images"
