"""When a change of a field takes effect: declared on the field, or on the field that holds it."""

from enum import StrEnum
from typing import Any

from lccp.contract.cel import OWN

CHANGE = f"{OWN}change"
HOW = f"{OWN}change-how"


class Change(StrEnum):
    """The class of a field."""

    IDENTITY = "identity"
    """Determines what the run's numbers mean: never changes. Another value makes another run."""
    NEXT_ATTEMPT = "next attempt"
    """How the run is carried out: may change, and takes effect at the next attempt or try."""
    LIVE = "live"
    """May change at any time, and takes effect at once."""


def declared(change: Change, how: str = "") -> dict[str, Any]:
    """`json_schema_extra` that gives a field, and all below it, this class.

    `how` says which changes a rule of the field's type allows, if not all.
    """
    return {CHANGE: change.value} | ({HOW: how} if how else {})


IDENTITY = declared(Change.IDENTITY)
NEXT_ATTEMPT = declared(Change.NEXT_ATTEMPT)
LIVE = declared(Change.LIVE)
