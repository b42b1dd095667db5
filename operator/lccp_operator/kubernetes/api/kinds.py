"""The kinds of objects that the operator reads and writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of object and where the API server keeps it."""

    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        root = "/apis/" if "/" in self.api_version else "/api/"
        scope = [f"namespaces/{namespace}"] if namespace else []
        rest = [self.plural, *filter(None, (name, subresource))]
        return root + "/".join([self.api_version, *scope, *rest])


RUNS = Kind("lccp.io/v1alpha1", "lccpruns")
JOBS = Kind("batch/v1", "jobs")
PODS = Kind("v1", "pods")
SERVICES = Kind("v1", "services")
EVENTS = Kind("v1", "events")
NAMESPACES = Kind("v1", "namespaces")
LEASES = Kind("coordination.k8s.io/v1", "leases")
KUEUE_WORKLOADS = Kind("kueue.x-k8s.io/v1beta1", "workloads")
