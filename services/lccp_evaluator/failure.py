"""What is recorded of an evaluation that failed."""

from datetime import UTC, datetime

from lccp.api.causes import Cause, cause_of, exit_code_of
from lccp.api.objects.report import EvaluationFailure


def failure_of(error: Exception) -> EvaluationFailure:
    """The record of `error`: its cause, and its first line."""
    cause = cause_of(error)
    without_words = "not enough memory" if cause is Cause.OUT_OF_MEMORY else type(error).__name__
    message = str(error).strip().split("\n")[0] or without_words
    return EvaluationFailure(
        cause=cause, message=message, exit_code=exit_code_of(cause), at=datetime.now(UTC)
    )
