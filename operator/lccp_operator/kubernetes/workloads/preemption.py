"""What a queue reads of a gang before it evicts one: what would be lost.

Kueue adds the boost to the priority of a Workload wherever it compares priorities, if its gate
PriorityBoost is on (https://github.com/kubernetes-sigs/kueue/tree/main/keps/7990-preemption-cost);
others ignore the annotation.
"""

from lccp.api import labels
from lccp.contract.errors import NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.events import TIME_FORMAT
from lccp_operator.kubernetes.workloads.reading import JOB_UID_LABEL
from lccp_operator.workloads.state import SavedState

PRIORITY_BOOST = "kueue.x-k8s.io/priority-boost"


def tell(cluster: api.Cluster, namespace: str, name: str, state: SavedState) -> Object:
    """Annotate the gang's Job, which is returned, and its Workload in Kueue if there is a boost.

    Whether the state is old comes last: a failure before that is tried again. Raises NotFound if
    the Job is gone.
    """
    known = {
        labels.LAST_STATE_AT: state.at.strftime(TIME_FORMAT),
        labels.LAST_STATE_TOKENS: str(state.tokens),
    }
    boost = {} if state.boost is None else {PRIORITY_BOOST: str(state.boost)}
    if boost:
        job = cluster.patch(api.JOBS, namespace, name, _annotated(known))
        for workload in _of_job(cluster, namespace, job["metadata"]["uid"]):
            found = workload["metadata"]["name"]
            cluster.patch(api.KUEUE_WORKLOADS, namespace, found, _annotated(boost))
    old = {labels.LAST_STATE_OLD: str(state.old).lower()}
    return cluster.patch(api.JOBS, namespace, name, _annotated(known | old | boost))


def _of_job(cluster: api.Cluster, namespace: str, uid: str) -> list[Object]:
    """Workloads of the Job; none in a cluster without Kueue."""
    selector = f"{JOB_UID_LABEL}={uid}"
    try:
        return cluster.list(api.KUEUE_WORKLOADS, namespace, labelSelector=selector)
    except NotFound:
        return []


def _annotated(told: dict[str, str]) -> Object:
    return {"metadata": {"annotations": told}}
