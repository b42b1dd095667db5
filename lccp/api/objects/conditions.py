"""`conditions.json`: what the operator last said of a run, for readers that see its store alone."""

import hashlib
import json
from functools import cached_property
from typing import Annotated

from pydantic import Field

from lccp.api.conditions import ToldCondition
from lccp.api.objects.base import StoreObject


class RunConditions(StoreObject):
    """The conditions of the run object, as they were last changed."""

    conditions: Annotated[
        tuple[ToldCondition, ...], Field(description="As in the run object's status.")
    ]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what they say, whenever that began."""
        said = self.model_dump(exclude={"conditions": {"__all__": {"last_transition_time"}}})
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()
