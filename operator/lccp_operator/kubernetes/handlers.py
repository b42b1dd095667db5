"""Kopf feeds the queue: every change of a run, or of a Job or pod of one, is a reason to look.

Only low-level event handlers are used, so that Kopf stores nothing in the objects.
"""

from typing import Any

import kopf

from lccp.api import labels
from lccp_operator.kubernetes.queue import WorkQueue
from lccp_operator.kubernetes.reconciler import RunKey

Body = Any


def registry(queue: WorkQueue[RunKey]) -> kopf.OperatorRegistry:
    """Handlers that add the run concerned to `queue`."""
    handlers = kopf.OperatorRegistry()

    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.startup(registry=handlers)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = f"{labels.GROUP}/kopf"
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=labels.GROUP)
        settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=labels.GROUP)
        settings.posting.enabled = False
        settings.watching.server_timeout = 270
        settings.watching.client_timeout = 300

    @kopf.on.event(labels.GROUP, labels.VERSION, labels.PLURAL, registry=handlers)
    def run_changed(namespace: str | None, name: str | None, **_: Any) -> None:
        queue.add(RunKey(namespace or "", name or ""))

    @kopf.on.event("batch", "v1", "jobs", labels={labels.RUN: kopf.PRESENT}, registry=handlers)
    @kopf.on.event("", "v1", "pods", labels={labels.RUN: kopf.PRESENT}, registry=handlers)
    def child_changed(namespace: str | None, meta: Body, **_: Any) -> None:
        queue.add(RunKey(namespace or "", meta["labels"][labels.RUN]))

    return handlers
