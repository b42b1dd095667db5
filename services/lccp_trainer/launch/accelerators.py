"""The accelerators of this machine: devices, driver, NCCL, and bfloat16."""

import shutil
import subprocess
from dataclasses import dataclass

DRIVER = ("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
DRIVER_SECONDS = 20.0


@dataclass(frozen=True)
class Accelerators:
    """What PyTorch and the driver report of this machine's devices."""

    count: int = 0
    name: str = ""
    """Of the first device."""
    memory_bytes: int = 0
    """Of the smallest device."""
    bf16: bool = False
    driver: str | None = None
    """Version; None: there is no driver, or it does not answer."""
    nccl: str | None = None
    """Version; None: this build of PyTorch has none."""


def detected() -> Accelerators | None:
    """The accelerators that PyTorch can use here; None without PyTorch."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    driver, count = _driver(), torch.cuda.device_count()
    if not count:
        return Accelerators(driver=driver)
    return Accelerators(
        count=count,
        name=torch.cuda.get_device_name(0),
        memory_bytes=min(torch.cuda.mem_get_info(number)[1] for number in range(count)),
        bf16=torch.cuda.is_bf16_supported(including_emulation=False),
        driver=driver,
        nccl=".".join(map(str, torch.cuda.nccl.version())) if _has_nccl() else None,  # type: ignore[no-untyped-call]
    )


def _has_nccl() -> bool:
    import torch

    return torch.distributed.is_available() and torch.distributed.is_nccl_available()


def _driver() -> str | None:
    if shutil.which(DRIVER[0]) is None:
        return None
    try:
        done = subprocess.run(
            DRIVER, capture_output=True, text=True, timeout=DRIVER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.split()), None)
