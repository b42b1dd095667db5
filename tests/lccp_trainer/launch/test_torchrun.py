"""torchrun records which ranks failed first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lccp.lifeline import PARENT_PID
from lccp_trainer.ends import Death, read_deaths
from lccp_trainer.launch.torchrun import DEATHS_FILE, failed_first
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


@pytest.mark.parametrize(
    ("codes", "first"),
    [
        ({1: 7, 0: -15}, {1: 7}),
        ({2: -9, 0: -15, 1: -9}, {2: -9}),
        ({0: 1, 1: -11, 2: -9}, {0: 1, 1: -11}),
    ],
    ids=["peers that were ended", "a rank that was killed", "two that failed at once"],
)
def test_ranks_that_torchrun_ended_are_not_named(
    codes: dict[int, int], first: dict[int, int]
) -> None:
    assert failed_first(codes) == first
