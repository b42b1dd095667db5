"""Events on run objects."""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lccp.api import labels
from lccp.api.run import LCCPRun
from lccp.contract.base import cut
from lccp.contract.errors import LccpError
from lccp_operator.intents import Event, EventReason
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
LATE_SECONDS = 15.0
"""After which an answer is late: an API server without slow webhooks answers within one."""

LOOK_SECONDS = 1.0

NAMESPACE_GOES = "because it is being terminated"
"""In the API server's words, why it takes no new object: it never will."""

RETELL_SECONDS = 10.0
"""Until events that were refused are posted again."""

logger = logging.getLogger(__name__)


def address(run: LCCPRun) -> Object:
    """Namespace, name and UID of the run object."""
    meta = run.metadata
    return {"namespace": meta.namespace, "name": meta.name, "uid": meta.uid}


def post(cluster: api.Cluster, where: Object, event: Event) -> bool:
    """Record the event on the run object at the address `where`, and log it; whether that is done.

    Nothing if it was posted before; a failure is only logged, and final if the namespace goes.
    """
    try:
        cluster.create(api.EVENTS, _event(where, event))
    except api.AlreadyExists:
        return True
    except LccpError as error:
        logger.warning("event %s was not recorded: %s: %s", event.reason, event.message, error)
        return NAMESPACE_GOES in str(error)
    level = logging.WARNING if event.type == "Warning" else logging.INFO
    logger.log(level, "%s: %s", event.reason, event.message)
    return True


class LateAnswers:
    """Reports answers of the API server that are late, while workers still wait for them."""

    def __init__(self, cluster: api.Cluster) -> None:
        self._cluster = cluster
        self._open: dict[object, tuple[float, Object, str]] = {}
        """Requests without an answer: since when, about which run object, and in words."""
        self._told: set[tuple[str, str]] = set()
        """UIDs of run objects, and requests."""

    @contextmanager
    def told(self, where: Object, request: str) -> Iterator[None]:
        """Have an event posted if what is inside, in words the `request`, takes long; only once.

        The event is on the run object at the address `where`. A webhook may take half a minute
        before the API server reports it.
        """
        ticket = object()
        self._open[ticket] = time.monotonic(), where, request
        try:
            yield
        finally:
            del self._open[ticket]

    def follow(self, stop: threading.Event) -> None:
        """Report what is late, until `stop`."""
        while not stop.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Report what is late now. A thread for each request took 0.14 ms of a processor."""
        for ticket, (since, where, request) in self._open.copy().items():
            if ticket in self._open and time.monotonic() - since >= LATE_SECONDS:
                self._tell(where, request)

    def _tell(self, where: Object, request: str) -> None:
        if (where["uid"], request) in self._told:
            return
        self._told.add((where["uid"], request))
        message = (
            f"the API server has not answered the {request} for {LATE_SECONDS:g} s: a webhook that "
            "admits it may be slow; the answer is waited for, and a refusal will be reported"
        )
        at = datetime.now(UTC)
        event = Event("Warning", EventReason.ANSWER_LATE, message, at, about=request)
        post(self._cluster, where, event)


def _event(where: Object, event: Event) -> Object:
    at = event.at.strftime(TIME_FORMAT)
    involved = {name: where[name] for name in ("namespace", "name", "uid")}
    involved |= {"apiVersion": labels.API_VERSION, "kind": labels.KIND}
    identity = (where["uid"], event.reason.value, event.at.isoformat(), event.about)
    name = f"{where['name']}.{hashlib.sha256(repr(identity).encode()).hexdigest()[:16]}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": where["namespace"], "name": name},
        "involvedObject": involved,
        "type": event.type,
        "reason": event.reason.value,
        "message": cut(event.message),
        "source": {"component": labels.FIELD_MANAGER},
        "reportingComponent": labels.FIELD_MANAGER,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
