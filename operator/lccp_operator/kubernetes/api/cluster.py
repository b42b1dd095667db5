"""The API server as the operator uses it: plain objects in and out, errors mapped in one place.

Calls have a timeout and a bounded retry.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import urllib3
from kubernetes import client
from pydantic_core import from_json

from lccp.api.labels import FIELD_MANAGER
from lccp.contract.errors import InvalidInput, NotFound
from lccp_operator.kubernetes.api.answers import (
    UNDECLARED,
    AdmissionUnavailable,
    ApiUnavailable,
    Refused,
    error_of,
    event_of,
    message_of,
)
from lccp_operator.kubernetes.api.connection import Connection
from lccp_operator.kubernetes.api.kinds import NAMESPACES, Kind
from lccp_operator.kubernetes.api.merge import Object

TIMEOUT_SECONDS = 10.0
ADMISSION_SECONDS = 35.0
"""For writes except to a Lease: webhooks may take 30 s, and the API server then says which."""
TRIES = 4
PAGE_SIZE = 500
WATCH_SECONDS = 30
"""After which another watch begins: permissions that were withdrawn end no watch."""
WATCH_SILENCE_SECONDS = 40.0
"""Longest silence in a watch, which should have ended before that: its connection is dead."""
RETRY_AFTER_SECONDS_MAX = 10.0
WEBHOOK_FAILED = b"failed calling webhook"
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class Cluster:
    """Calls to one API server. Safe to use from several threads.

    `guard` is called before every try of a write; it raises Conflict if this process may no longer
    write. `measure` receives verb, result and seconds of every try.
    """

    def __init__(
        self,
        api: client.ApiClient,
        guard: Callable[[], None] = lambda: None,
        measure: Callable[[str, str, float], None] = lambda *_: None,
    ) -> None:
        self._connection = Connection(api)
        self.guard = guard
        self._measure = measure

    def server_time(self, now: datetime) -> datetime:
        """The API server's time, as `now` by this process's clock.

        Times of its objects are compared with it: the clocks may differ by more than a pod's grace
        period.
        """
        return now + self._connection.clock_behind

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        """The object. Raises NotFound."""
        return self.call("GET", kind.path(namespace, name))

    def is_terminating(self, namespace: str) -> bool:
        """Whether the namespace is being deleted; False where that can't be read."""
        try:
            found = self.get(NAMESPACES, None, namespace)
        except (InvalidInput, NotFound):
            return False
        return bool(found.get("status", {}).get("phase") == "Terminating")

    def listing(
        self, kind: Kind, namespace: str | None = None, **selectors: str
    ) -> tuple[list[Object], str]:
        """The objects, read page by page, and the version from which a watch continues."""
        items: list[Object] = []
        query: dict[str, str] = {"limit": str(PAGE_SIZE), **selectors}
        while True:
            page = self.call("GET", kind.path(namespace), query=query)
            items += page["items"]
            more = page["metadata"].get("continue")
            if not more:
                return items, page["metadata"]["resourceVersion"]
            query["continue"] = more

    def version(self, kind: Kind, namespace: str | None = None) -> int:
        """The version of the newest state; it falls only if etcd is restored from a snapshot."""
        page = self.call("GET", kind.path(namespace), query={"limit": "1"})
        return int(page["metadata"]["resourceVersion"])

    def list(self, kind: Kind, namespace: str | None = None, **selectors: str) -> list[Object]:
        """All objects that `labelSelector` and `fieldSelector` select."""
        return self.listing(kind, namespace, **selectors)[0]

    def watch(
        self, kind: Kind, namespace: str | None, version: str, **selectors: str
    ) -> Iterator[Object]:
        """Events since `version`, including bookmarks, until the watch ends, or is long silent.

        Raises Gone if the version is too old; ApiUnavailable if the connection breaks.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            **selectors,
        }
        path = kind.path(namespace)
        timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=WATCH_SILENCE_SECONDS)
        try:
            response = self._connection.request(
                "GET", path, query, timeout=timeout, preload_content=False
            )
            with response:
                if response.status != 200:
                    raise error_of(response.status, response.read(), path)
                yield from _events(response, path)
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise ApiUnavailable(f"the watch of {path} broke: {error}") from None

    def apply(self, kind: Kind, document: Object, subresource: str = "") -> Object:
        """Server-side apply, owning every field that `document` names."""
        meta = document["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        path = kind.path(meta["namespace"], meta["name"], subresource)
        return self.call("PATCH", path, document, query, "application/apply-patch+yaml")

    def create(self, kind: Kind, document: Object, dry_run: bool = False) -> Object:
        """The object as created, or with `dry_run` as it would be: webhooks may have changed it.

        Raises AlreadyExists; Refused for an unknown field, and where its namespace is gone.
        """
        path = kind.path(document["metadata"]["namespace"])
        query = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        try:
            return self.call("POST", path, document, query)
        except NotFound as error:
            raise Refused(str(error)) from None

    def replace(self, kind: Kind, document: Object) -> Object:
        """Replace the object. Raises Conflict if its resourceVersion is old."""
        meta = document["metadata"]
        return self.call("PUT", kind.path(meta["namespace"], meta["name"]), document)

    def patch(
        self, kind: Kind, namespace: str, name: str, patch: Object, subresource: str = ""
    ) -> Object:
        """JSON merge patch of the object, or of one of its subresources. Raises NotFound."""
        path = kind.path(namespace, name, subresource)
        return self.call("PATCH", path, patch, media_type="application/merge-patch+json")

    def delete(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str | None = None,
        foreground: bool = True,
    ) -> Object | None:
        """Delete the object once its dependents are gone; returns the ending object, if any.

        Not in the `foreground`, it goes at once, and its dependents after it.
        With `uid`, only that exact object is deleted; raises Conflict if it is another one.
        """
        options: Object = {"propagationPolicy": "Foreground" if foreground else "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            answer = self.call("DELETE", kind.path(namespace, name), options)
        except NotFound:
            return None
        return answer if "uid" in answer.get("metadata", {}) else None

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> Object:
        """The answer to any request: retried, calling `guard` before each write.

        A request that a webhook failed is not retried: it may have taken half a minute, and must be
        reported. Raises as the methods that use it.
        """
        for attempt in range(TRIES):
            if method != "GET":
                self.guard()
            status, data, wait = self._once(method, path, body, query, media_type)
            if 200 <= status < 300:
                answer: Object = from_json(data)
                return answer
            if status and WEBHOOK_FAILED in data:
                raise AdmissionUnavailable(message_of(data))
            if status and (status not in RETRIED_STATUSES or UNDECLARED.encode() in data):
                raise error_of(status, data, path)
            if attempt + 1 < TRIES:
                time.sleep(wait if wait is not None else 0.2 * 2**attempt)
        reason = data.decode(errors="replace")[:200]
        raise ApiUnavailable(f"the API server does not answer {method} {path}: {status} {reason}")

    def _once(
        self,
        method: str,
        path: str,
        body: Object | None,
        query: Mapping[str, str] | None,
        media_type: str,
    ) -> tuple[int, bytes, float | None]:
        """Status, 0 for no answer; body, or what happened; seconds to wait before the next try."""
        started = time.monotonic()
        read = TIMEOUT_SECONDS if method in ("GET", "PUT") else ADMISSION_SECONDS
        timeout = urllib3.Timeout(connect=TIMEOUT_SECONDS, read=read)
        try:
            response = self._connection.request(
                method, path, query, body, media_type, timeout=timeout
            )
            status, data, wait = response.status, response.data, response.headers.get("Retry-After")
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            status, data, wait = 0, str(error).encode(), None
        self._measure(method, str(status), time.monotonic() - started)
        return status, data, min(float(wait), RETRY_AFTER_SECONDS_MAX) if wait else None


def _events(response: Any, path: str) -> Iterator[Object]:
    """Of objects that nobody changes an API server may send nothing, not even bookmarks."""
    try:
        for line in response:
            yield event_of(from_json(line), path)
    except urllib3.exceptions.ReadTimeoutError:
        return
