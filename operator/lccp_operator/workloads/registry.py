"""The kinds of workloads."""

from collections.abc import Iterable, Mapping

from lccp.api.labels import COMPONENT, GROUP
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.training import Training

KINDS: tuple[type[Workload], ...] = (Training, Evaluation, Purge)


def workload_of(
    labels: Mapping[str, str], kinds: Iterable[type[Workload]] = KINDS
) -> Workload | None:
    """The workload that has these labels; None if they are not ours."""
    own = {name.removeprefix(f"{GROUP}/"): value for name, value in labels.items()}
    found = (kind for kind in kinds if labels.get(COMPONENT) == kind.COMPONENT)
    return next((kind.of_labels(own) for kind in found), None)
