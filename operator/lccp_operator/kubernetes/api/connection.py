"""The connection to one API server: authentication, encryption, and the pool of connections.

Built on the official client's transport (authentication, TLS, token refresh) without its generated
models, so that objects of any kind keep every field.
"""

import logging
import math
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from pydantic_core import to_json

from lccp.api.labels import FIELD_MANAGER
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object

CONNECTIONS = 32
"""Kept open: a few more than workers and watches, since opening one costs more than a call."""

TOKEN_SECONDS = 10.0
"""How long a token is used before it is requested again from the official client."""

ONCE = urllib3.Retry(False)

DEAD_SECONDS = 15
"""Silence of a peer's TCP after which a connection counts as dead: a firewall may drop it without a
word, and a watch waits for news."""

OF_TCP = {
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": DEAD_SECONDS // 3,
    "TCP_KEEPINTVL": DEAD_SECONDS // 3,
    "TCP_KEEPCNT": 2,
    "TCP_USER_TIMEOUT": 1_000 * DEAD_SECONDS,
}
"""Options of a connection, as far as the system knows them: whether an idle one lives is asked."""

CLOCKS_AGREE = timedelta(seconds=5)
"""Difference of two clocks that does not count."""
DATED_TO = timedelta(seconds=1)
"""Precision of an answer's date, which is rounded down."""

logger = logging.getLogger(__name__)


def connect() -> client.ApiClient:
    """A connection to the cluster that this process runs in, or else to the kubeconfig's."""
    settings = client.Configuration()
    settings.connection_pool_maxsize = CONNECTIONS
    settings.socket_options = _socket_options()
    try:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise InvalidInput(f"no cluster: {error}: set KUBECONFIG") from None
    return client.ApiClient(settings)


def _socket_options() -> list[tuple[int, int, int]]:
    known = {getattr(socket, name): told for name, told in OF_TCP.items() if hasattr(socket, name)}
    of_tcp = [(socket.IPPROTO_TCP, option, told) for option, told in known.items()]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *of_tcp]


class Connection:
    """Safe to use from several threads."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._host = api.configuration.host
        self._token: tuple[float, str | None] = (-math.inf, None)
        """When it was requested, and the header."""
        self._told_behind = timedelta()
        """`clock_behind` as far as the answers told, also if it does not count."""

    @property
    def clock_behind(self) -> timedelta:
        """How much this process's clock is behind the API server's; negative: ahead of it."""
        counts = abs(self._told_behind) > CLOCKS_AGREE
        return self._told_behind if counts else timedelta()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media_type: str = "application/json",
        **how: Any,
    ) -> Any:
        """The answer, whatever its status; `how` goes to urllib3. Raises urllib3's errors."""
        headers = {
            "Accept": "application/json",
            "Content-Type": media_type,
            "User-Agent": FIELD_MANAGER,
        }
        if token := self._authorization():
            headers["Authorization"] = token
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        content = None if body is None else to_json(body)
        pool = self._api.rest_client.pool_manager
        asked = datetime.now(UTC)
        answer = pool.urlopen(method, url, body=content, headers=headers, retries=ONCE, **how)
        self._compare_clocks(asked, answer.headers.get("Date"))
        return answer

    def _compare_clocks(self, asked: datetime, told: str | None) -> None:
        """The answer was dated between `asked` and now, which narrows down the difference.

        So a slow answer, or one that is dated early in its second, moves nothing that is known.
        """
        try:
            dated = parsedate_to_datetime(told or "").astimezone(UTC)
        except ValueError:
            return
        least, most = dated - datetime.now(UTC), dated + DATED_TO - asked
        before = self.clock_behind
        self._told_behind = min(most, max(least, self._told_behind))
        if self.clock_behind and not before:
            logger.warning(
                "this node's clock differs from the API server's by %.0f s: the API server's is "
                "used; correct the clock that is wrong",
                abs(self._told_behind.total_seconds()),
            )

    def _authorization(self) -> str | None:
        asked_at, token = self._token
        if time.monotonic() - asked_at > TOKEN_SECONDS:
            settings = self._api.configuration
            token = settings.get_api_key_with_prefix("BearerToken", alias="authorization")
            self._token = time.monotonic(), token
        return token
