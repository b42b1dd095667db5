"""With which identity an API server is called, and how."""

import json
import socket
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes import client
from kubernetes.config import kube_config
from serving import serving

from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api import connection as connections
from lccp_operator.kubernetes.api.connection import Connection


class Echo(BaseHTTPRequestHandler):
    """Answers with the request: path, headers and body."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told = {"path": self.path, "headers": dict(self.headers), "body": body}
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def settings() -> Iterator[client.Configuration]:
    """Of a client whose API server is an echo."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    made = client.Configuration()
    made.host = f"http://127.0.0.1:{server.server_port}"
    made.api_key["authorization"] = "first"
    made.api_key_prefix["authorization"] = "Bearer"
    with serving(server):
        yield made


def asked(connection: Connection, **how: Any) -> Any:
    return json.loads(connection.request("POST", "/api/v1/pods", timeout=5, **how).data)


def test_a_request_says_who_asks_and_carries_query_and_body(settings: client.Configuration) -> None:
    connection = Connection(client.ApiClient(settings))

    told = asked(connection, query={"labelSelector": "a=b"}, body={"n": "ü"}, media_type="text/x")

    assert told["path"] == "/api/v1/pods?labelSelector=a%3Db"
    assert json.loads(told["body"]) == {"n": "ü"}
    headers = {name.lower(): value for name, value in told["headers"].items()}
    assert headers["user-agent"] == "lccp-operator"
    assert headers["content-type"] == "text/x"
    assert headers["authorization"] == "Bearer first"


def test_a_token_that_was_renewed_is_used_a_moment_later(
    settings: client.Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    api_client = client.ApiClient(settings)
    connection = Connection(api_client)
    asked(connection)
    api_client.configuration.api_key["authorization"] = "second"

    assert asked(connection)["headers"]["Authorization"] == "Bearer first"
    monkeypatch.setattr(connections, "TOKEN_SECONDS", 0.0)
    assert asked(connection)["headers"]["Authorization"] == "Bearer second"


def test_without_a_cluster_it_is_said_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))

    with pytest.raises(InvalidInput, match=r"^no cluster: .*: set KUBECONFIG$"):
        connections.connect()


def test_a_connection_whose_peer_is_silent_is_given_up_after_fifteen_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch waits for news for longer than that: a firewall may drop its connection."""
    user = {"name": "one", "context": {"cluster": "one", "user": "one"}}
    clusters = [{"name": "one", "cluster": {"server": "http://127.0.0.1:1"}}]
    told = {"clusters": clusters, "contexts": [user], "users": [{"name": "one", "user": {}}]}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(told | {"current-context": "one"}))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    pool = connections.connect().rest_client.pool_manager
    with socket.socket() as made:
        for option in pool.connection_pool_kw["socket_options"]:
            made.setsockopt(*option)

        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NODELAY")
        taken = [made.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
        assert taken == [5, 5, 2, 15_000, 1]


@pytest.mark.parametrize(("differs", "counts"), [(-600, -600), (600, 600), (3, 0)])
def test_the_api_servers_time_is_known_by_its_answers(
    settings: client.Configuration, monkeypatch: pytest.MonkeyPatch, differs: int, counts: int
) -> None:
    connection = Connection(client.ApiClient(settings))
    told = formatdate(time.time() + differs, usegmt=True)
    monkeypatch.setattr(Echo, "date_time_string", lambda *_: told)

    asked(connection)

    assert connection.clock_behind.total_seconds() == pytest.approx(counts, abs=3)


def with_clocks(
    settings: client.Configuration, monkeypatch: pytest.MonkeyPatch, ahead: Sequence[float]
) -> Connection:
    """Its answers all have one date, of which its own clock is ahead by so many seconds whenever
    it is looked at: before each request, and after it."""
    told = datetime.now(UTC).replace(microsecond=0)
    clock = iter([told + timedelta(seconds=seconds) for seconds in ahead])
    monkeypatch.setattr(Echo, "date_time_string", lambda *_: format_datetime(told, usegmt=True))
    monkeypatch.setattr(connections, "datetime", SimpleNamespace(now=lambda _: next(clock)))
    return Connection(client.ApiClient(settings))


def test_an_answer_that_takes_a_minute_does_not_move_the_clock(
    settings: client.Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = with_clocks(settings, monkeypatch, (-30, 30))

    asked(connection)

    assert connection.clock_behind == timedelta()


def test_of_clocks_that_differ_a_slow_answer_moves_nothing(
    settings: client.Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook may take half a minute: twice the time after which a pod counts as lost."""
    connection = with_clocks(settings, monkeypatch, (120, 120.1, 90, 120))

    for _ in range(2):
        asked(connection)

    assert connection.clock_behind.total_seconds() == pytest.approx(-120, abs=1.1)


def test_a_difference_near_the_least_that_counts_is_told_once(
    settings: client.Configuration,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = with_clocks(settings, monkeypatch, 2 * (-4.6, -4.6, -5.4, -5.4))

    for _ in range(4):
        asked(connection)

    assert len([r for r in caplog.records if "clock differs" in r.message]) == 1
    assert connection.clock_behind.total_seconds() == pytest.approx(5.4)
