"""`conditions.json`: what the operator last said of a run, for readers that see its store alone."""

from typing import Annotated

from pydantic import Field

from lccp.api.conditions import ToldCondition
from lccp.api.objects.base import StoreObject


class RunConditions(StoreObject):
    """The conditions of the run object, as they were last changed."""

    conditions: Annotated[
        tuple[ToldCondition, ...], Field(description="As in the run object's status.")
    ]
