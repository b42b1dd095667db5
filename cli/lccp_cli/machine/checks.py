"""What this machine has, what is missing, and how to install it."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from lccp.report.text import bytes_text
from lccp_trainer.launch.accelerators import Accelerators

PYTHON_MIN = (3, 11)
MEMORY_MIN = 4 * 2**30
DISK_MIN = 2 * 2**30
LIBRARIES = {
    "torch": "pip install -e '.[trainer]' in the checkout; the CPU build is enough",
    "transformers": "pip install -e '.[trainer]' in the checkout",
    "deepspeed": "pip install -e '.[trainer]' in the checkout",
    "safetensors": "pip install -e '.[trainer]' in the checkout",
    "tokenizers": "pip install -e '.[trainer]' in the checkout",
    "plotly": "pip install -e '.[report]' in the checkout",
}
CLUSTER_TOOLS = {
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
}


@dataclass(frozen=True)
class Check:
    """The result of one check; `advice` says how to fix it if it is not `ok`."""

    name: str
    ok: bool
    seen: str
    advice: str = ""
    needed: bool = True
    """Whether `lccp run` needs it."""


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution, without importing it; None if it is missing."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def machine() -> Iterator[Check]:
    """Python, cores, memory and disk."""
    lowest = ".".join(map(str, PYTHON_MIN))
    yield Check(
        "python",
        sys.version_info >= PYTHON_MIN,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        f"install Python {lowest} or newer",
    )
    yield Check("cores", True, str(_cores()))
    memory = memory_bytes()
    yield Check(
        "memory",
        memory is None or memory >= MEMORY_MIN,
        "unknown" if memory is None else bytes_text(memory),
        f"the tiny example needs {bytes_text(MEMORY_MIN)}",
    )
    free = shutil.disk_usage(os.getcwd()).free
    advice = f"the tiny example needs {bytes_text(DISK_MIN)} for its checkpoints"
    yield Check("disk", free >= DISK_MIN, f"{bytes_text(free)} free in this folder", advice)


def libraries() -> Iterator[Check]:
    """The libraries that `lccp run` imports."""
    for name, advice in LIBRARIES.items():
        version = version_of(name)
        yield Check(name, version is not None, version or "not installed", advice)


def accelerators(found: Accelerators | None) -> Iterator[Check]:
    """Devices, driver, NCCL and bfloat16; a run on CPUs needs none of them."""
    if found is None:
        return
    if found.count:
        seen = f"{found.count} x {found.name}, {bytes_text(found.memory_bytes)} each"
        yield Check("accelerators", True, seen, needed=False)
    else:
        yield Check("accelerators", False, "none that PyTorch can use", _unusable(found), False)
    driver, nccl = found.driver or "none that responds", found.nccl or "none"
    if found.count or found.driver:
        advice = "install the driver of the devices"
        yield Check("driver", found.driver is not None, driver, advice, needed=False)
    if found.count:
        advice = "install a build of PyTorch that has it: multiple devices communicate through it"
        yield Check("nccl", found.nccl is not None, nccl, advice, needed=False)
        advice = (
            "set training.precision to FP32: these devices compute bfloat16 slowly or not at all"
        )
        yield Check("bf16", found.bf16, "yes" if found.bf16 else "no", advice, needed=False)


def _unusable(found: Accelerators) -> str:
    if found.driver is None:
        return "only needed by runs that request them; if there are any, install their driver"
    return "the driver is installed: install a PyTorch build for it, such as the images' one"


def tools() -> Iterator[Check]:
    """The tools for reaching a cluster."""
    for name, advice in CLUSTER_TOOLS.items():
        path = shutil.which(name)
        seen = path or "not on PATH; only needed for a cluster"
        yield Check(name, path is not None, seen, advice, needed=False)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """Bytes of physical memory, or None if the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
