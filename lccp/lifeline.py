"""A process that never outlives its parent."""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PARENT_PID = "LCCP_PARENT_PID"
POLL_SECONDS = 0.5


def die_with_parent() -> None:
    """Have this process killed when the process that `LCCP_PARENT_PID` names ends.

    On Linux the kernel does it; elsewhere a thread watches. Call it first of all: a parent that
    ended before is noticed by the changed parent id. Children that do the same end with this one.
    """
    parent = int(os.environ[PARENT_PID])
    os.environ[PARENT_PID] = str(os.getpid())
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    _die_without(parent)


def adopt_orphans() -> None:
    """Make descendants that lose their parent children of this process (Linux)."""
    if sys.platform == "linux":
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


def reap(timeout_seconds: float) -> bool:
    """Wait until this process has no child left; False if some are left after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return True
        if pid == 0:
            time.sleep(0.05)
    return False


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl option {option} failed")


def _watch(parent: int) -> None:
    while True:
        _die_without(parent)
        time.sleep(POLL_SECONDS)


def _die_without(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_group(group: int) -> None:
    """End every process of a group at once."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
