"""Starts a program that does not outlive its parent. A script; needs only the standard library.

    python -I -S spawn.py <pid of the parent> <niceness> <program> [argument ...]

On Linux this process becomes the program, and the kernel kills it when the parent's thread ends.
Elsewhere this process stays, checks its parent ten times a second, and kills its process group
when the parent is gone; it forwards SIGTERM, and ends with the program's exit code.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1


def main(arguments: list[str]) -> int:
    parent, niceness, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    os.nice(niceness)
    if sys.platform == "linux":
        become(parent, command)
    return supervise(parent, command)


def become(parent: int, command: list[str]) -> None:
    """Become the program, to be killed with the parent."""
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:  # else it ended before the kernel was asked
        os.execvp(command[0], command)
    sys.exit(1)


def supervise(parent: int, command: list[str]) -> int:
    """Run the program; kill the process group once the parent is gone."""
    told: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        told.append(number)

    signal.signal(signal.SIGTERM, note)
    child = subprocess.Popen(command, close_fds=False)
    while child.poll() is None:
        if os.getppid() != parent:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        while told:
            child.send_signal(told.pop())
        time.sleep(POLL_SECONDS)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
