"""How a run ended: what must be the same whatever happens to its operator."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

from a_cluster import Namespace
from stub_cluster import StubCluster


@dataclass(frozen=True)
class Outcome:
    """The end of the run `tiny`."""

    conditions: dict[str, tuple[str, str]]
    attempts: list[str]
    checkpoints: list[Any]
    evaluated: list[int]
    tries: list[int]
    jobs: set[str]

    @classmethod
    def of(cls, stubs: StubCluster, namespace: Namespace) -> Self:
        journal = namespace.journal("tiny")
        found = namespace.conditions("tiny")
        return cls(
            conditions={name: (c["status"], c["reason"]) for name, c in found.items()},
            attempts=[str(attempt.cause) for attempt in journal.attempts],
            checkpoints=namespace.run("tiny")["status"]["checkpoints"],
            evaluated=stubs.evaluated(namespace),
            tries=[evaluation.tries for evaluation in journal.evaluations.values()],
            jobs={job["metadata"]["name"] for job in namespace.jobs()},
        )

    def once(self) -> Self:
        """As if an evaluator that finds a report had ended at once, as the real one does."""
        return replace(self, evaluated=sorted(set(self.evaluated)))

    def differences(self, wanted: Self) -> dict[str, tuple[Any, Any]]:
        """Where this one is not as wanted: what is there, and what is right."""
        names = (field.name for field in fields(self))
        pairs = {name: (getattr(self, name), getattr(wanted, name)) for name in names}
        return {name: (there, right) for name, (there, right) in pairs.items() if there != right}


def ended(namespace: Namespace) -> bool:
    """The run completed, all its checkpoints are evaluated, and its evaluators' Jobs are gone."""
    found = namespace.conditions("tiny")
    reasons = {found.get(type_, {}).get("reason") for type_ in ("Succeeded", "Evaluating")}
    return reasons == {"Completed", "UpToDate"} and len(namespace.jobs()) == 1
