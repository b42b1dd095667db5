"""The checks of `lccp doctor`."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from lccp.report.text import bytes_text
from lccp_cli.installed import version_of

PYTHON_MIN = (3, 11)
MEMORY_MIN = 4 * 2**30
DISK_MIN = 2 * 2**30
TO_RUN = {
    "torch": "pip install 'lccp[trainer]'; the CPU build is enough",
    "transformers": "pip install 'lccp[trainer]'",
    "deepspeed": "pip install 'lccp[trainer]'",
    "safetensors": "pip install 'lccp[trainer]'",
    "tokenizers": "pip install 'lccp[trainer]'",
    "plotly": "pip install 'lccp[report]'",
}
FOR_A_CLUSTER = {
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
    "helm": "https://helm.sh/docs/intro/install/",
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `advice` says how to get it if it is not `ok`."""

    name: str
    ok: bool
    seen: str
    advice: str = ""
    needed: bool = True
    """`lccp run` needs it."""


def checks() -> list[Check]:
    """All checks, what `lccp run` needs first."""
    return [*_machine(), *_libraries(), *_tools()]


def _machine() -> Iterator[Check]:
    lowest = ".".join(map(str, PYTHON_MIN))
    yield Check(
        "python",
        sys.version_info >= PYTHON_MIN,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        f"install Python {lowest} or newer",
    )
    yield Check("cores", True, str(_cores()))
    memory = _memory()
    yield Check(
        "memory",
        memory is None or memory >= MEMORY_MIN,
        "not known here" if memory is None else bytes_text(memory),
        f"the tiny example needs {bytes_text(MEMORY_MIN)}",
    )
    free = shutil.disk_usage(os.getcwd()).free
    advice = f"checkpoints of the tiny example need {bytes_text(DISK_MIN)} here"
    yield Check("disk", free >= DISK_MIN, f"{bytes_text(free)} free here", advice)


def _libraries() -> Iterator[Check]:
    for name, advice in TO_RUN.items():
        version = version_of(name)
        yield Check(name, version is not None, version or "not installed", advice)


def _tools() -> Iterator[Check]:
    for name, advice in FOR_A_CLUSTER.items():
        path = shutil.which(name)
        seen = path or "not on PATH; only needed for a cluster"
        yield Check(name, path is not None, seen, advice, needed=False)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    """Bytes of physical memory, or None if the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
