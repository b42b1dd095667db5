"""A rank says how it ended, whatever stops it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.training import End
from lccp_trainer.ends import read_ends
from lccp_trainer.launch.lifeline import PARENT_PID
from lccp_trainer.worker import SCRATCH, SPEC_FILE, STARTED

pytestmark = pytest.mark.slow


def rank(scratch: Path, **told: str) -> tuple[int, End, str]:
    """Exit code, last words and log of rank 2."""
    own = {SCRATCH: str(scratch), STARTED: "0", PARENT_PID: str(os.getpid())}
    own |= {"RANK": "2", "LOCAL_RANK": "0"}
    command = [sys.executable, "-m", "lccp_trainer.launch.rank"]
    done = subprocess.run(
        command, env=os.environ | own | told, capture_output=True, timeout=60, check=False
    )
    assert (scratch / "started-2").exists()
    return done.returncode, read_ends(scratch)[2], done.stderr.decode()


def test_a_rank_without_a_run_names_what_is_wrong(tmp_path: Path) -> None:
    code, end, log = rank(tmp_path)

    assert (code, end.result, end.rank) == (1, Cause.CONFIGURATION, 2)
    assert end.message == "environment: LCCP_RUN is not set"
    assert "the rank failed" not in log


STORE = StoreConfig(url="file:///none")
TOLD = Invocation(namespace="lab", name="tiny", store=STORE).to_environ()


def test_what_nobody_foresaw_is_told_with_its_type_and_logged(tmp_path: Path) -> None:
    (tmp_path / SPEC_FILE).write_text(json.dumps(a_run.run().spec.document()))

    code, end, log = rank(tmp_path, **TOLD, LCCP_STARTED="soon")

    assert (code, end.result, end.rank) == (1, Cause.INTERNAL, 2)
    assert end.message.startswith("ValueError: ")
    assert "the rank failed" in log
