import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

CHILD = "from lccp.lifeline import die_with_parent as d; d(); print('up', flush=True); "
PARENT = f"""
import os, subprocess, sys, time
os.environ["LCCP_PARENT_PID"] = str(os.getpid())
child = subprocess.Popen([sys.executable, "-c", {CHILD!r} + "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int, within_seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as output:
        child = int(output.readline())
        assert output.readline() == "up\n"
        parent.kill()
        parent.wait()
        assert gone(child)


def test_a_child_whose_parent_ended_before_ends_at_once() -> None:
    environ = os.environ | {"LCCP_PARENT_PID": "1" if os.getppid() != 1 else "2"}
    child = subprocess.run([sys.executable, "-c", CHILD], env=environ, capture_output=True)
    assert child.returncode == -signal.SIGKILL
    assert child.stdout == b""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux alone")
def test_reaping_waits_for_all_children() -> None:
    script = """
import subprocess, sys
from lccp import lifeline
lifeline.adopt_orphans()
grandchild = f"import subprocess, sys; subprocess.Popen(['sleep', '{sys.argv[1]}'])"
subprocess.run([sys.executable, "-c", grandchild])
print(lifeline.reap(float(sys.argv[2])))
"""
    for seconds, patience, expected in (("0.3", "10", "True"), ("3", "0.2", "False")):
        command = [sys.executable, "-c", script, seconds, patience]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.stdout.strip() == expected
