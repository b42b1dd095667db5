"""How a trouble is told: in one line, and of what nobody explains after a while."""

from datetime import UTC, datetime, timedelta

from lccp.api.conditions import Reason
from lccp_operator.workloads.state import Trouble

MESSAGE_LENGTH_MAX = 500

SILENCE = timedelta(seconds=15)
"""From the creation of an object: the responsible controller has begun with it by then."""


def trouble(reason: Reason, message: str) -> Trouble:
    return Trouble(reason, short(message))


def refused(message: str, otherwise: Reason) -> Trouble:
    """The trouble of a refusal: by a quota, or another one."""
    return trouble(Reason.QUOTA_EXCEEDED if "exceeded quota" in message else otherwise, message)


def short(text: str) -> str:
    return " ".join(text.split())[:MESSAGE_LENGTH_MAX]


def is_long_ago(at: str, now: datetime) -> bool:
    return now - datetime.fromisoformat(at).astimezone(UTC) > SILENCE
