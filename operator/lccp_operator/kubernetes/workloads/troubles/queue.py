"""What keeps a workload in its queue, by Kueue's Workload. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from lccp.api.conditions import Reason
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.jobs import QUEUE_LABEL, is_let_in
from lccp_operator.kubernetes.workloads.seen import Seen, condition_of, owner_uids
from lccp_operator.kubernetes.workloads.troubles.told import is_long_ago, trouble
from lccp_operator.workloads.state import Trouble

JOBS_NAMED = 3


def of_queue(job: Object, seen: Seen, now: datetime) -> Iterator[Trouble]:
    """The troubles of a Job that waits in a queue."""
    uid, queue = job["metadata"]["uid"], job["metadata"].get("labels", {}).get(QUEUE_LABEL)
    if queue is None or not job["spec"].get("suspend"):
        return
    behind = _behind(queue, [one for one in seen.neighbours if one["metadata"]["uid"] != uid])
    for admission in seen.kueue_workloads:
        if uid in owner_uids(admission):
            for reason, told in _of_admission(admission, behind):
                yield trouble(reason, f"queue {queue}{told}")
            if _is_overdue(admission, now):
                yield trouble(Reason.STARTING, f"queue {queue}: {_not_resumed(admission, job)}")
    yield trouble(Reason.QUEUED, f"waits in queue {queue}{behind}")


def _of_admission(admission: Object, behind: str) -> Iterator[tuple[Reason, str]]:
    """Why Kueue does not admit a Workload."""
    status, checks = admission.get("status", {}), [*_checks(admission.get("status", {}))]
    if not admission.get("spec", {}).get("active", True):
        told = f"Workload {admission['metadata']['name']} is deactivated (spec.active)"
        evicted = condition_of(status, "Evicted").get("message", "")
        yield Reason.HELD_BACK, ": " + ": ".join(filter(None, (told, evicted, *checks)))
    reserved = condition_of(status, "QuotaReserved")
    if reserved.get("status") == "False":
        told, why = reserved.get("message", ""), reserved.get("reason")
        unknown = why == "Inadmissible" and "doesn't exist" in told
        yield Reason.UNKNOWN_QUEUE if unknown else Reason.QUEUED, f"{behind}: {told}"
    for told in checks:
        yield Reason.QUEUED, f": it has quota, and {told}"


def _is_overdue(admission: Object, now: datetime) -> bool:
    """Kueue admitted it long ago: it resumes the Job at once."""
    admitted = condition_of(admission.get("status", {}), "Admitted")
    return admitted.get("status") == "True" and is_long_ago(admitted["lastTransitionTime"], now)


def _not_resumed(admission: Object, job: Object) -> str:
    workload, name = admission["metadata"]["name"], job["metadata"]["name"]
    return (
        f"Workload {workload} is admitted, but Kueue has not resumed Job {name}: its log says why; "
        "if it does not go on by itself, delete the Workload, which Kueue then makes anew"
    )


def _checks(status: Object) -> Iterator[str]:
    for check in status.get("admissionChecks", ()):
        if check["state"] != "Ready":
            told = ": ".join(filter(None, (check["state"], check.get("message"))))
            yield f"admission check {check['name']} is {told}"


def _behind(queue: str, others: Iterable[Object]) -> str:
    """The Jobs of runs that the queue has admitted, in words."""
    names = sorted(job["metadata"]["name"] for job in others if is_let_in(job, queue))
    if not names:
        return ""
    more = f" and {len(names) - JOBS_NAMED} more" if len(names) > JOBS_NAMED else ""
    return f", behind {', '.join(names[:JOBS_NAMED])}{more}"
