"""The run object of the embedded engine, only in its memory."""

import uuid
from typing import Self

from lccp.api.conditions import ConditionType
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp_operator.embedded.snapshot import State
from lccp_operator.intents import Event


class RunObject:
    """The run object, which only the engine holds."""

    def __init__(self, run: LCCPRun) -> None:
        self.current = run
        self.events: list[Event] = []

    @classmethod
    def applied(cls, run: LCCPRun) -> Self:
        """`run` as a new object: each start of the engine applies it again, and so adopts it."""
        metadata = run.metadata.model_copy(
            update={"uid": str(uuid.uuid4()), "generation": 1, "deletion_timestamp": None}
        )
        return cls(run.model_copy(update={"metadata": metadata, "status": None}))

    @property
    def state(self) -> State:
        """The run's current state by its conditions."""
        status = self.current.status
        true = {c.type for c in status.conditions if c.status == "True"} if status else set()
        if ConditionType.FAILED in true:
            return "Failed"
        if ConditionType.SUCCEEDED in true:
            return "Succeeded"
        return "Suspended" if ConditionType.SUSPENDED in true else "Interrupted"

    def write_status(self, run: LCCPRun, status: LCCPRunStatus) -> None:
        self.current = run.model_copy(update={"status": status})

    def post(self, run: LCCPRun, event: Event) -> None:
        self.events.append(event)

    def set_finalizer(self, run: LCCPRun, present: bool) -> None:
        """Does nothing: nobody deletes the object here."""

    def end_reevaluation(self, run: LCCPRun, asked: str) -> None:
        """Does nothing: the engine reads no annotations."""

    def delete(self, run: LCCPRun) -> None:
        """Does nothing: the object ends with the engine, and the store keeps its own."""

    def take_events(self) -> tuple[Event, ...]:
        taken, self.events = tuple(self.events), []
        return taken
