"""Conditions of run objects as the exporter keeps them: compact, since there are many runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from lccp.api.conditions import ReportedCondition
from lccp.api.objects.conditions import RunConditions


@dataclass(frozen=True, slots=True)
class KeptCondition:
    """A condition of the run object, in a fifth of its memory."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int

    @classmethod
    def of(cls, condition: ReportedCondition) -> Self:
        return cls(*(getattr(condition, name) for name in cls.__slots__))

    @property
    def condition(self) -> ReportedCondition:
        return ReportedCondition(**{name: getattr(self, name) for name in self.__slots__})


def kept_conditions(reported: RunConditions) -> tuple[KeptCondition, ...]:
    """All conditions of a run."""
    return tuple(KeptCondition.of(condition) for condition in reported.conditions)
