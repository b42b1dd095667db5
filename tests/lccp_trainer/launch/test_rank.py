"""A rank reports how it ended, whatever stops it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import a_run
import pytest
from operator_process import wait_for

from lccp.api.causes import Cause
from lccp.api.identity import identity_of, settings_of
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Control
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import End, Heartbeat
from lccp.lifeline import PARENT_PID
from lccp.store import objects
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_trainer.ends import read_ends
from lccp_trainer.worker import SCRATCH, SPEC_FILE, STARTED

pytestmark = pytest.mark.slow


def started(scratch: Path, number: int, **told: str) -> subprocess.Popen[bytes]:
    own = {SCRATCH: str(scratch), STARTED: "0", PARENT_PID: str(os.getpid())}
    own |= {"RANK": str(number), "LOCAL_RANK": "0"}
    command = [sys.executable, "-m", "lccp_trainer.launch.rank"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=os.environ | own | told, stdout=pipe, stderr=pipe)


def rank(scratch: Path, **told: str) -> tuple[int, End, str]:
    """Exit code, last words and log of rank 2."""
    with started(scratch, 2, **told) as process:
        _, log = process.communicate(timeout=60)
    assert (scratch / "started-2").exists()
    return process.returncode, read_ends(scratch)[2], log.decode()


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


def test_rank_0_tells_the_fields_of_a_newer_operator_that_it_leaves_out(tmp_path: Path) -> None:
    store, keys, spec = FileStore(tmp_path / "store"), RunKeys("lab", "tiny"), a_run.run().spec
    (tmp_path / SPEC_FILE).write_text(json.dumps(spec.document()))
    identity = RunIdentity(namespace="lab", name="tiny", identity=identity_of(spec))
    objects.write(store, keys.identity, identity)
    settings = settings_of(spec)
    settings["training"] |= {"ofTomorrow": True}
    objects.write(store, keys.control(1), Control(settings=settings))
    url = StoreConfig(url=f"file://{tmp_path}/store")
    told = Invocation(namespace="lab", name="tiny", store=url, pod_uid="0badcafe").to_environ()

    with started(tmp_path, 0, **told) as process:
        key = keys.heartbeat("a1-0badcafe")
        wait_for(lambda: store.stat(key) or process.poll(), "it does not report")
        beat = objects.read(store, key, Heartbeat)
        process.kill()

    assert beat.unknown_fields == ("training.ofTomorrow",)
