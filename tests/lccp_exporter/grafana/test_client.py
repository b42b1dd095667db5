import socket

import pytest
from grafana_server import Held

from lccp.contract.errors import InvalidInput, NotFound
from lccp_exporter.grafana.client import Grafana, GrafanaUnavailable


def test_a_call_is_tried_again_while_grafana_is_busy(grafana: Grafana, held: Held) -> None:
    held.failures = [503, 429, 502]
    assert grafana.get("/api/datasources") == held.datasources
    assert len(held.calls) == 4


def test_what_stays_busy_is_an_error_after_a_bounded_number_of_tries(
    grafana: Grafana, held: Held
) -> None:
    held.failures = [503] * 9
    with pytest.raises(GrafanaUnavailable, match="status 503, 4 times"):
        grafana.get("/api/datasources")
    assert len(held.calls) == 4


def test_nobody_at_the_address_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(GrafanaUnavailable, match=f":{port}/api/datasources: no answer: .*refused"):
        Grafana(f"http://127.0.0.1:{port}", "t", backoff_seconds=0.01).get("/api/datasources")


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        (401, InvalidInput, "status 401: the token is not valid: not now"),
        (403, InvalidInput, "status 403: the token's role does not allow this: not now"),
        (404, NotFound, "there is no such thing: not now"),
        (412, InvalidInput, "status 412: not now"),
        (500, InvalidInput, "status 500: not now"),
    ],
)
def test_a_refusal_says_what_grafana_says(
    grafana: Grafana, held: Held, status: int, error: type[Exception], sentence: str
) -> None:
    held.failures = [status]
    with pytest.raises(error, match=f"GET {grafana.url}/api/datasources: {sentence}"):
        grafana.get("/api/datasources")


def test_the_token_is_in_no_message(served: tuple[str, Held]) -> None:
    with pytest.raises(InvalidInput) as refused:
        Grafana(served[0], "glsa_secret").get("/api/datasources")
    assert "glsa_secret" not in str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "straße"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Grafana("http://localhost", token)
    assert str(refused.value) == "the token must be printable characters without blanks"


@pytest.mark.parametrize("url", ["", "grafana", "ftp://g", "http://", "https://g/?orgId=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="must be Grafana's address"):
        Grafana(url, "t")


def test_a_password_in_the_address_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidInput) as refused:
        Grafana("https://admin:secret@grafana", "t")
    assert "secret" not in str(refused.value)
