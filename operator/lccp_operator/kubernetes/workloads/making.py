"""Creates the objects of a run's workloads; deletes a Job that an admission webhook changed."""

from lccp.api import labels
from lccp.api.run import LCCPRun
from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.asked import changed, refusal
from lccp_operator.kubernetes.workloads.seen import condition_of, owner_uids

ENDS = ("Complete", "Failed")


class HeldBack(InvalidInput):
    """A Job or Service of the run, beside which nothing may start, is there though it seemed gone.

    Most often it has lost the label by which the run's objects are found.
    """


class Making:
    """Creates the objects of one run. After a changed Job, the next one starts as a dry run."""

    def __init__(self, cluster: api.Cluster) -> None:
        self._cluster = cluster
        self._tries_first = False

    def make(self, run: LCCPRun, kind: api.Kind, document: Object) -> Object:
        """The object, new or existing.

        Raises:
            InvalidInput: it belongs to something else, is refused, or would not be as requested.
            HeldBack: it exists, and lost its label.
            Conflict: it existed, but is gone.
        """
        try:
            return self._job(document) if kind is api.JOBS else self._cluster.create(kind, document)
        except api.AlreadyExists:
            return self._existing(run, kind, document)

    def check_ended(self, run: LCCPRun, name: str) -> None:
        """Raise HeldBack if the run's Job of that name goes on.

        It was not seen, since it has lost its label, or had until a moment ago.
        """
        try:
            job = self._there(api.JOBS, run.metadata.namespace, name)
        except NotFound:
            return
        status = job.get("status", {})
        ended = any(condition_of(status, end).get("status") == "True" for end in ENDS)
        if run.metadata.uid in owner_uids(job) and not ended:
            _check_label(run, f"Job {name}", job)
            raise HeldBack(f"Job {name} has not ended: nothing is started beside it")

    def _job(self, document: Object) -> Object:
        """The new Job. One that came back changed is deleted at once. Raises InvalidInput."""
        if self._tries_first:
            _check(document, self._cluster.create(api.JOBS, document, dry_run=True))
        made = self._cluster.create(api.JOBS, document)
        self._tries_first = False
        try:
            _check(document, made)
        except InvalidInput:
            self._tries_first = True
            meta = made["metadata"]
            place = (meta["namespace"], meta["name"], meta["uid"])
            self._cluster.delete(api.JOBS, *place, foreground=False)
            raise
        return made

    def _existing(self, run: LCCPRun, kind: api.Kind, document: Object) -> Object:
        namespace, name = run.metadata.namespace, document["metadata"]["name"]
        what = f"{document['kind']} {name}"
        try:
            found = self._there(kind, namespace, name)
        except NotFound:
            raise Conflict(f"{what} existed, but is gone") from None
        if run.metadata.uid not in owner_uids(found):
            raise InvalidInput(
                f"there is another {what} in the namespace, which does not belong to this run: "
                "delete it or rename the run"
            )
        _check_label(run, what, found)
        edited = found["spec"].get("selector") != document["spec"].get("selector")
        return self._again(document, found) if kind is api.SERVICES and edited else found

    def _again(self, document: Object, found: Object) -> Object:
        """The Service in place of `found`, whose selector somebody edited. Raises InvalidInput."""
        meta = found["metadata"]
        place = (meta["namespace"], meta["name"], meta["uid"])
        ending = self._cluster.delete(api.SERVICES, *place, foreground=False) or {"metadata": {}}
        if kept := ", ".join(ending["metadata"].get("finalizers", ())):
            raise InvalidInput(
                f"Service {meta['name']}, which was edited, can't be replaced while finalizers "
                f"keep it: {kept}"
            )
        return self._cluster.create(api.SERVICES, document)

    def _there(self, kind: api.Kind, namespace: str, name: str) -> Object:
        """The object. Raises NotFound. The operator may only list Jobs, not get one."""
        if kind is not api.JOBS:
            return self._cluster.get(kind, namespace, name)
        found = self._cluster.list(kind, namespace, fieldSelector=f"metadata.name={name}")
        if not found:
            raise NotFound(name)
        return found[0]


def _check_label(run: LCCPRun, what: str, found: Object) -> None:
    if found["metadata"].get("labels", {}).get(labels.RUN) != run.metadata.name:
        told = f"{what} has lost its label {labels.RUN}={run.metadata.name}"
        raise HeldBack(f"{told}: nothing is started beside it")


def _check(asked: Object, made: Object) -> None:
    """Raise InvalidInput if the Job lacks something that its run depends on."""
    changes = changed(asked, made)
    if changes:
        raise InvalidInput(refusal(asked["metadata"]["name"], changes))
