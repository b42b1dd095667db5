"""The API server: its kinds of objects, calls to it, and what its answers mean."""

from lccp_operator.kubernetes.api.answers import (
    AdmissionUnavailable,
    AlreadyExists,
    ApiUnavailable,
    Forbidden,
    Gone,
)
from lccp_operator.kubernetes.api.cluster import Cluster
from lccp_operator.kubernetes.api.connection import connect
from lccp_operator.kubernetes.api.kinds import (
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    PODS,
    RUNS,
    SERVICES,
    WORKLOADS,
    Kind,
)

__all__ = [
    "EVENTS",
    "JOBS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "RUNS",
    "SERVICES",
    "WORKLOADS",
    "AdmissionUnavailable",
    "AlreadyExists",
    "ApiUnavailable",
    "Cluster",
    "Forbidden",
    "Gone",
    "Kind",
    "connect",
]
