"""What an earlier attempt has made is not made again."""

from pathlib import Path

import pytest

from lccp.api.causes import Cause
from lccp.api.objects.manifest import Manifest
from lccp.store.file import FileStore
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys
from lccp.store.objects import write
from lccp_trainer.launch.made import made_before

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
    assert end.message == f"{keys.checkpoint_manifest(300)} was there already"


def test_a_run_has_several_checkpoints_and_goes_on(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "store")
    write(store, RUN.checkpoint_manifest(300), MADE)
    assert made_before(store, RUN) is None
