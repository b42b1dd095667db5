"""Grafana's HTTP API, one call at a time, with a timeout and bounded retries."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import urllib3

from lccp.contract.errors import InvalidInput, LccpError, NotFound

Json = dict[str, Any]

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
RETRIES, BACKOFF_SECONDS = 3, 0.5
RETRIED_STATUSES = frozenset({429, 502, 503, 504})
TOKEN = re.compile(r"[\x21-\x7e]+")
MESSAGE_LENGTH_MAX = 300


class GrafanaUnavailable(LccpError):
    """Grafana did not answer within its timeout and retries."""


class Grafana:
    """Calls the Grafana at `url` as the owner of `token`. Raises InvalidInput.

    Every call may be repeated: written objects have our own UIDs.
    """

    def __init__(self, url: str, token: str, backoff_seconds: float = BACKOFF_SECONDS) -> None:
        self.url = _checked(url)
        if not TOKEN.fullmatch(token):
            raise InvalidInput("the token must be printable characters without blanks")
        retries = urllib3.Retry(
            total=RETRIES,
            allowed_methods=None,
            status_forcelist=RETRIED_STATUSES,
            backoff_factor=backoff_seconds,
            raise_on_status=False,
            redirect=False,
        )
        self._pool = urllib3.PoolManager(
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=retries,
        )

    def get(self, path: str) -> Any:
        """The object at `path`. Raises NotFound, InvalidInput, GrafanaUnavailable."""
        return self._call("GET", path)

    def post(self, path: str, body: Json) -> Any:
        return self._call("POST", path, body)

    def put(self, path: str, body: Json) -> Any:
        return self._call("PUT", path, body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Json | None = None) -> Any:
        where = f"{method} {self.url}{path}"
        try:
            answer = self._pool.request(method, f"{self.url}{path}", json=body, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise GrafanaUnavailable(f"{where}: no answer: {_cause(error)}") from None
        if answer.status in RETRIED_STATUSES:
            raise GrafanaUnavailable(f"{where}: status {answer.status}, {RETRIES + 1} times")
        if answer.status == 404:
            raise NotFound(f"{where}: there is no such thing: {_message(answer.data)}")
        if not 200 <= answer.status < 300:
            raise InvalidInput(_refusal(where, answer))
        return _parsed(where, answer.data) if answer.data else None


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidInput(f"{url}: must be Grafana's address, such as https://grafana.example.com")
    if parts.username or parts.password:
        raise InvalidInput("Grafana's address must not contain a password: use a token")
    return url.rstrip("/")


def _refusal(where: str, answer: urllib3.BaseHTTPResponse) -> str:
    if 300 <= answer.status < 400:
        return f"{where}: is sent on to {answer.headers.get('Location')}: give the address there"
    hints = {401: ": the token is not valid", 403: ": the token's role does not allow this"}
    return f"{where}: status {answer.status}{hints.get(answer.status, '')}: {_message(answer.data)}"


def _message(data: bytes) -> str:
    """Grafana's message about a failed call."""
    try:
        text = str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        text = data.decode(errors="replace") or "it says nothing more"
    return " ".join(text.split())[:MESSAGE_LENGTH_MAX]


def _parsed(where: str, data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise InvalidInput(f"{where}: the answer is not JSON: is it Grafana's address?") from None


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rsplit(": ", 1)[-1].strip("()")
