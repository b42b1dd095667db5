"""The one table of causes and exit codes."""

import pytest

from lccp.api.causes import MEANINGS, Cause, cause_of, cause_of_codes, exit_code_of
from lccp.api.exits import ExitCode
from lccp.contract.errors import (
    DiskFailed,
    Incompatible,
    InvalidInput,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)

TOLD_BY_A_PERSONS_PROGRAM = {ExitCode.USAGE}
TOLD_BY_THE_KERNEL = {ExitCode.KILLED}


def test_every_cause_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Cause)


def test_every_code_that_a_process_of_a_run_chooses_tells_a_cause() -> None:
    told = {meaning.exit_code for meaning in MEANINGS.values()} - {None}

    assert told == set(ExitCode) - TOLD_BY_A_PERSONS_PROGRAM - TOLD_BY_THE_KERNEL


def test_every_counted_cause_says_what_to_do() -> None:
    assert [c for c, meaning in MEANINGS.items() if meaning.counted != bool(meaning.remedy)] == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (InvalidInput("x"), Cause.CONFIGURATION),
        (Incompatible("x"), Cause.CONFIGURATION),
        (NotFound("x"), Cause.CONFIGURATION),
        (DiskFailed("x"), Cause.INTERNAL),
        (StoreRefused("x"), Cause.STORE_REFUSED),
        (StoreUnavailable("x"), Cause.STORE_UNREACHABLE),
        (MemoryError(), Cause.OUT_OF_MEMORY),
        (type("OutOfMemoryError", (RuntimeError,), {})(), Cause.OUT_OF_MEMORY),
        (RuntimeError("x"), Cause.INTERNAL),
    ],
)
def test_the_type_of_an_error_is_its_cause(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


def test_what_ends_well_ends_with_0() -> None:
    assert {exit_code_of(c) for c in (Cause.COMPLETED, Cause.DRAINED)} == {ExitCode.OK}
    assert exit_code_of(Cause.LOST) is ExitCode.INTERNAL


@pytest.mark.parametrize("cause", [c for c in Cause if MEANINGS[c].exit_code])
def test_the_code_of_a_cause_tells_that_cause(cause: Cause) -> None:
    code = exit_code_of(cause)
    told = Cause.INTERNAL if cause is Cause.OUT_OF_MEMORY else cause

    assert cause_of_codes({code}) is told
