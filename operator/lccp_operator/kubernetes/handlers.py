"""Kopf watches the runs and feeds the queue: every change of a run is a reason to reconcile it.

Only a low-level event handler is used, so that Kopf stores nothing in the objects.
"""

from collections.abc import Callable
from typing import Any

import kopf

from lccp.api import labels
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.seen import RunKey


class _NothingStored(kopf.DiffBaseStorage):
    """No last-handled state: no handler needs it, and building it costs as much as a reconcile."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Never called: only handlers of changes store one."""


def registry(
    on_change: Callable[[RunKey, Object | None], None], clusterwide: bool
) -> kopf.OperatorRegistry:
    """Handlers that call `on_change` with the key and object of a run, None once it is gone."""
    handlers = kopf.OperatorRegistry()

    kopf.on.login(registry=handlers)(kopf.login_via_client)

    @kopf.on.startup(registry=handlers)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.persistence.finalizer = f"{labels.GROUP}/kopf"
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=labels.GROUP)
        settings.persistence.diffbase_storage = _NothingStored()
        settings.posting.enabled = False
        settings.scanning.disabled = not clusterwide
        settings.watching.server_timeout = 270
        settings.watching.client_timeout = 300

    @kopf.on.event(labels.GROUP, labels.VERSION, labels.PLURAL, registry=handlers)
    async def run_changed(
        namespace: str | None, name: str | None, event: kopf.RawEvent, **_: Any
    ) -> None:
        gone = event["type"] == "DELETED"
        on_change(RunKey(namespace or "", name or ""), None if gone else dict(event["object"]))

    return handlers
