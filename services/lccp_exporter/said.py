"""Conditions of run objects as the exporter keeps them: compact, since there are many runs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from lccp.api.conditions import ToldCondition
from lccp.api.objects.conditions import RunConditions


@dataclass(frozen=True, slots=True)
class Said:
    """A condition of the run object, in a fifth of its memory."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int

    @classmethod
    def of(cls, condition: ToldCondition) -> Self:
        return cls(*(getattr(condition, name) for name in cls.__slots__))

    @property
    def condition(self) -> ToldCondition:
        return ToldCondition(**{name: getattr(self, name) for name in self.__slots__})


def all_said(told: RunConditions) -> tuple[Said, ...]:
    """All conditions of a run."""
    return tuple(Said.of(condition) for condition in told.conditions)
