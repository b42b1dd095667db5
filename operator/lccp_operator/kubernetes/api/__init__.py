"""The API server: its kinds of objects, calls to it, and what its answers mean."""

from lccp_operator.kubernetes.api.answers import (
    AdmissionUnavailable,
    AlreadyExists,
    ApiUnavailable,
    Denied,
    Forbidden,
    Gone,
    Refused,
    reason_of,
)
from lccp_operator.kubernetes.api.cluster import Cluster
from lccp_operator.kubernetes.api.connection import connect
from lccp_operator.kubernetes.api.kinds import (
    EVENTS,
    JOBS,
    KUEUE_WORKLOADS,
    LEASES,
    NAMESPACES,
    PODS,
    RUNS,
    SERVICES,
    Kind,
)

__all__ = [
    "EVENTS",
    "JOBS",
    "KUEUE_WORKLOADS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "RUNS",
    "SERVICES",
    "AdmissionUnavailable",
    "AlreadyExists",
    "ApiUnavailable",
    "Cluster",
    "Denied",
    "Forbidden",
    "Gone",
    "Kind",
    "Refused",
    "connect",
    "reason_of",
]
