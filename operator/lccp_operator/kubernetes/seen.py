"""What was read of a run's children."""

from dataclasses import dataclass

from lccp_operator.kubernetes.merge import Object


@dataclass(frozen=True)
class Seen:
    """What was read of a run's children: raw objects of the API server."""

    jobs: tuple[Object, ...]
    pods: tuple[Object, ...]
    events: tuple[Object, ...] = ()
    workloads: tuple[Object, ...] = ()
