import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lccp.contract.errors import LccpError
from lccp_trainer.launch.scratch import remove_left, scratch_folder

KILLED = """
import os, signal
from lccp_trainer.launch.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "tokens").write_text("1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_a_scratch_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
        (folder / "tokens").write_text("1")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_launcher_left_goes_when_the_next_one_begins(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED], check=False, timeout=60)
    (left,) = tmp_path.iterdir()
    assert (left / "tokens").exists()
    with scratch_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_of_a_launcher_that_lives_stays(tmp_path: Path) -> None:
    with scratch_folder() as first, scratch_folder() as second:
        remove_left(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([first, second])


def test_a_place_that_can_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(LccpError, match=r"^TMPDIR: no folder can be made there"), scratch_folder():
        pass


def test_folders_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "lccp-train-by-hand").mkdir()
    remove_left(tmp_path)
    assert (tmp_path / "lccp-train-by-hand").is_dir()
