import os
import shutil
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lccp.api.causes import MEANINGS, Cause
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import End
from lccp.contract.errors import Incompatible, InvalidInput, StoreRefused, StoreUnavailable
from lccp.store.file import FileStore
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys
from lccp.store.objects import write
from lccp_trainer.ends import (
    Death,
    NotFinite,
    count_started,
    decide,
    end_of,
    leave,
    made_before,
    mark_started,
    read_deaths,
    read_ends,
    write_end,
)


def an_end(cause: Cause, rank: int = 0) -> End:
    return End(result=cause, rank=rank, message=cause, at=datetime(2026, 1, 1, tzinfo=UTC))


def ends(*causes: Cause) -> dict[int, End]:
    return {rank: an_end(cause, rank) for rank, cause in enumerate(causes)}


KILLED = [Death(rank=0, exit_code=1), Death(rank=1, exit_code=-9)]
FAILED = [Death(rank=1, exit_code=1)]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounts a file system")
def test_a_rank_can_leave_its_end_on_a_full_disk(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "lccp", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounts are not allowed here")
    try:
        mark_started(tmp_path, 0)
        with suppress(OSError), (tmp_path / "state").open("wb", 0) as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(OSError, match="No space left"):
            leave(tmp_path / "deaths.json", b"[]")
        assert read_deaths(tmp_path / "deaths.json") == []
        write_end(tmp_path, 0, an_end(Cause.INTERNAL))
        assert read_ends(tmp_path) == {0: an_end(Cause.INTERNAL)}
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.parametrize(
    ("found", "deaths", "terminated", "expected"),
    [
        (ends(Cause.COMPLETED, Cause.COMPLETED), [], False, Cause.COMPLETED),
        (ends(Cause.DRAINED, Cause.DRAINED), [], False, Cause.DRAINED),
        (ends(Cause.TERMINATED, Cause.TERMINATED), FAILED, True, Cause.TERMINATED),
        (ends(Cause.INTERNAL, Cause.CONFIGURATION), FAILED, False, Cause.CONFIGURATION),
        (ends(Cause.NOT_FINITE, Cause.NOT_FINITE), FAILED, False, Cause.NOT_FINITE),
        (ends(Cause.INTERNAL, Cause.HANG), FAILED, False, Cause.HANG),
        (ends(Cause.INTERNAL, Cause.STORE_UNREACHABLE), FAILED, False, Cause.STORE_UNREACHABLE),
        (ends(Cause.INTERNAL), KILLED, False, Cause.INTERNAL),
        (ends(Cause.COMPLETED), KILLED, False, Cause.INTERNAL),
        (ends(Cause.TERMINATED), [], True, Cause.INTERNAL),
        ({}, [], False, Cause.INTERNAL),
        ({}, [], True, Cause.INTERNAL),
    ],
)
def test_the_root_cause_decides(
    found: dict[int, End], deaths: list[Death], terminated: bool, expected: Cause
) -> None:
    assert decide(found, deaths, started=2, terminated=terminated).result is expected


def test_a_signal_before_any_rank_could_hear_it_is_no_failure() -> None:
    assert decide({}, [], started=0, terminated=True).result is Cause.TERMINATED


def test_a_rank_that_died_without_a_word_is_named_not_its_victim() -> None:
    end = decide(ends(Cause.INTERNAL), KILLED, started=2, terminated=False)
    assert (end.rank, end.message) == (1, "rank 1 was killed by SIGKILL")


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        (InvalidInput("x"), Cause.CONFIGURATION, 64),
        (Incompatible("x"), Cause.CONFIGURATION, 64),
        (StoreRefused("x"), Cause.STORE_REFUSED, 77),
        (StoreUnavailable("x"), Cause.STORE_UNREACHABLE, 69),
        (NotFinite("x"), Cause.NOT_FINITE, 76),
        (MemoryError(), Cause.OUT_OF_MEMORY, 70),
        (RuntimeError("x"), Cause.INTERNAL, 70),
    ],
)
def test_the_type_of_an_error_is_its_cause_and_code(
    error: Exception, cause: Cause, code: int
) -> None:
    assert end_of(error, 0).result is cause
    assert MEANINGS[cause].exit_code == code


def test_the_first_end_of_a_rank_stays(tmp_path: Path) -> None:
    mark_started(tmp_path, 3)
    write_end(tmp_path, 3, an_end(Cause.HANG, 3))
    write_end(tmp_path, 3, an_end(Cause.INTERNAL, 3))
    assert read_ends(tmp_path)[3].result is Cause.HANG
    assert count_started(tmp_path) == 1


RUN = RunKeys("default", "run")
MADE = Manifest(
    kind="Checkpoint",
    tokens=300,
    step=3,
    writer="a1-00000000",
    files={},
    source_context_length=64,
    target_context_length=128,
)


@pytest.mark.parametrize("keys", [RUN.branch(200), RUN.fine_tuning(200)])
def test_the_one_checkpoint_of_a_branch_or_a_fine_tuning_ends_it(
    keys: BranchKeys | FineTuningKeys, tmp_path: Path
) -> None:
    store = FileStore(tmp_path / "store")
    write(store, RUN.checkpoint_manifest(300), MADE)
    assert made_before(store, keys) is None

    write(store, keys.checkpoint_manifest(300), MADE)
    end = made_before(store, keys)
    assert end is not None
    assert (end.result, end.tokens, end.step) == (Cause.COMPLETED, 300, 3)
    assert end.message == f"{keys.checkpoint_manifest(300)} already exists"


def test_a_run_has_several_checkpoints_and_goes_on(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    write(store, RUN.checkpoint_manifest(300), MADE)
    assert made_before(store, RUN) is None
