"""The record of failed work."""

import logging
from datetime import UTC, datetime

from lccp.api.causes import Cause, cause_of, exit_code_of
from lccp.api.objects.base import StoreObject
from lccp.api.objects.report import EvaluationFailure
from lccp.contract.errors import LccpError, sentence_of
from lccp.logs import leave_termination_message
from lccp.store import objects
from lccp.store.port import Store

logger = logging.getLogger(__name__)


def failure_of(error: Exception) -> EvaluationFailure:
    """The record of `error`: its cause, and the first line of its message."""
    cause = cause_of(error)
    without_words = "not enough memory" if cause is Cause.OUT_OF_MEMORY else type(error).__name__
    text = sentence_of(error) if isinstance(error, LookupError) else str(error)
    message = text.strip().split("\n")[0] or without_words
    return EvaluationFailure(
        cause=cause, message=message, exit_code=exit_code_of(cause), at=datetime.now(UTC)
    )


def tell(error: Exception, message: str) -> None:
    """Report why the work failed, to log and kubelet; with a traceback if it is no LccpError."""
    logger.error("%s", message, exc_info=not isinstance(error, LccpError))
    leave_termination_message(message)


def record(store: Store, key: str, value: StoreObject, what: str) -> None:
    """Write the record, the last act of a process; if that fails too, log it."""
    try:
        objects.write(store, key, value)
    except LccpError as error:
        logger.error("%s: the %s could not be recorded: %s", key, what, error)
