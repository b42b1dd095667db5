"""The record of a failed evaluation."""

from datetime import UTC
from pathlib import Path

import pytest
import torch

from lccp.api.causes import Cause, exit_code_of
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.store.file import FileStore
from lccp_evaluator.failure import failure_of, record


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (InvalidInput("model: no config\nmore"), Cause.CONFIGURATION, "model: no config"),
        (StoreUnavailable("store is silent"), Cause.STORE_UNREACHABLE, "store is silent"),
        (MemoryError(), Cause.OUT_OF_MEMORY, "not enough memory"),
        (RuntimeError("  shape mismatch "), Cause.INTERNAL, "shape mismatch"),
        (KeyError("depth"), Cause.INTERNAL, "KeyError: 'depth'"),
        (AssertionError(), Cause.INTERNAL, "AssertionError"),
    ],
)
def test_a_failure_has_a_cause_its_code_and_one_line(
    error: Exception, cause: Cause, message: str
) -> None:
    failure = failure_of(error)

    assert (failure.cause, failure.message) == (cause, message)
    assert failure.exit_code == exit_code_of(cause)
    assert failure.at.tzinfo is UTC


def test_a_cpu_without_room_for_a_tensor_lacks_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert failure_of(caught.value).cause is Cause.OUT_OF_MEMORY


def test_a_record_that_can_not_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    record(FileStore(tmp_path / "file"), "failure.json", failure_of(MemoryError()), "failure")

    assert "failure.json: the failure could not be recorded: " in caplog.text
