"""Waiting for a store that is down, or whose keys are being replaced."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from lccp.contract.errors import StoreRefused, StoreUnavailable

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
LONGEST_PAUSE_SECONDS = 30.0

Result = TypeVar("Result")


def patiently(
    call: Callable[[], Result],
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    tell: Callable[[str | None], None] = lambda problem: None,
) -> Result:
    """`call()`, retried while the store does not answer, or refuses, until patience runs out:
    keys may be replaced meanwhile.

    `tell` is called with the reason, and with None once it succeeds.
    """
    deadline = time.monotonic() + patience_seconds
    pause = 1.0
    while True:
        try:
            result = call()
        except (StoreUnavailable, StoreRefused) as error:
            if time.monotonic() + pause > deadline:
                raise
            logger.warning("%s; retrying in %.0f s", error, pause)
            tell(str(error))
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            tell(None)
            return result
