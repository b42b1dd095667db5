"""The workloads of a run: what they are, whatever runs them (Jobs of a cluster, processes here)."""

from dataclasses import dataclass

from lccp.api.labels import evaluation_name, purge_name, training_name


@dataclass(frozen=True)
class Training:
    """One attempt of the training gang."""

    attempt: int


@dataclass(frozen=True)
class Evaluation:
    """One try of the evaluation of the checkpoint at `tokens`."""

    tokens: int
    number: int = 1


@dataclass(frozen=True)
class Purge:
    """Deletes all that the store holds of the run."""


Workload = Training | Evaluation | Purge


def name_of(run: str, workload: Workload) -> str:
    """The workload's name, computed from facts alone: the same workload never exists twice."""
    match workload:
        case Training(attempt):
            return training_name(run, attempt)
        case Evaluation(tokens):
            return evaluation_name(run, tokens)
        case Purge():
            return purge_name(run)
