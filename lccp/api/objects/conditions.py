"""`conditions.json`: the operator's last report on a run, for readers that see only the store."""

import hashlib
import json
from functools import cached_property
from typing import Annotated

from pydantic import Field

from lccp.api.conditions import ReportedCondition
from lccp.api.objects.base import StoreObject


class RunConditions(StoreObject):
    """The conditions of the run object, as of their last change."""

    conditions: Annotated[
        tuple[ReportedCondition, ...], Field(description="As in the run object's status.")
    ]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the conditions without their transition times."""
        said = self.model_dump(exclude={"conditions": {"__all__": {"last_transition_time"}}})
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()
