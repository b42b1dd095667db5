"""The scratch folder of a launcher: removed when it ends, or when the next one begins."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lccp.contract.errors import LccpError

logger = logging.getLogger(__name__)

PREFIX = "lccp-train-"
LOCK = "launcher.lock"
"""Locked for as long as the launcher lives, however it ends."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for this launcher; folders left beside it by killed ones are removed first.

    Raises LccpError if it can't be made.
    """
    with ExitStack() as stack:
        try:
            remove_left(Path(tempfile.gettempdir()))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
            stack.enter_context(_locked(folder))
        except OSError as error:
            raise LccpError(
                f"TMPDIR: no folder can be made there ({error.strerror or error}): set it to one "
                "that can be written"
            ) from None
        yield folder


def remove_left(folder: Path) -> None:
    """Remove the scratch folders in `folder` whose launchers no longer run."""
    for scratch in folder.glob(f"{PREFIX}*"):
        if _is_left(scratch):
            logger.info("removed %s, left by a launcher that was killed", scratch)
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Within it nobody else gets the lock, whose file appears only once it is held."""
    part = folder / f"{LOCK}.part"
    with part.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        part.rename(folder / LOCK)
        yield


def _is_left(scratch: Path) -> bool:
    try:
        lock = os.open(scratch / LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
