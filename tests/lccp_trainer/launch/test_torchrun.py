"""torchrun records which ranks failed first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lccp.lifeline import PARENT_PID
from lccp_trainer.ends import Death, read_deaths
from lccp_trainer.launch.torchrun import DEATHS_FILE, Failure, failed_first
from lccp_trainer.worker import SCRATCH


def torchrun(scratch: Path, program: str) -> int:
    """Exit code of torchrun around two processes that run `program`."""
    (scratch / "program.py").write_text(program)
    own = {SCRATCH: str(scratch), PARENT_PID: str(os.getpid()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "lccp_trainer.launch.torchrun", "--standalone"]
    command += ["--nproc-per-node", "2", str(scratch / "program.py")]
    done = subprocess.run(
        command, env=os.environ | own, capture_output=True, timeout=60, check=False
    )
    assert b"Traceback" not in done.stderr
    return done.returncode


@pytest.mark.slow
def test_a_rank_that_failed_is_told_with_its_exit_code(tmp_path: Path) -> None:
    program = "import os, sys, time; os.environ['RANK'] == '1' and sys.exit(7); time.sleep(60)"

    assert torchrun(tmp_path, program) == 1
    assert read_deaths(tmp_path / DEATHS_FILE) == [Death(rank=1, exit_code=7)]


@pytest.mark.slow
def test_a_rank_that_was_killed_is_told_though_its_peer_failed_in_the_same_moment(
    tmp_path: Path,
) -> None:
    program = """
import os, pathlib, signal, sys, time
path = pathlib.Path(os.environ["LCCP_SCRATCH"], "killed")
if os.environ["RANK"] == "1":
    path.touch()
    os.kill(os.getpid(), signal.SIGKILL)
while not path.exists():
    time.sleep(0.001)
sys.exit(1)
"""
    assert torchrun(tmp_path, program) == 1
    assert Death(rank=1, exit_code=-9) in read_deaths(tmp_path / DEATHS_FILE)


@pytest.mark.parametrize(
    ("failures", "first"),
    [
        ({1: Failure(7, 100), 0: Failure(-15, 100)}, {1: 7}),
        ({2: Failure(-9, 100), 0: Failure(-15, 101), 1: Failure(-9, 130)}, {2: -9}),
        ({0: Failure(1, 100), 1: Failure(-11, 100), 2: Failure(-9, 131)}, {0: 1, 1: -11}),
        ({0: Failure(1, 100), 1: Failure(-9, 100)}, {0: 1, 1: -9}),
    ],
    ids=[
        "peers that were ended",
        "a rank that was killed",
        "two that failed at once",
        "a rank that was killed, seen together with its peer's failure",
    ],
)
def test_ranks_that_torchrun_ended_are_not_named(
    failures: dict[int, Failure], first: dict[int, int]
) -> None:
    assert failed_first(failures) == first
