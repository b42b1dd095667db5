from collections.abc import Callable

import pytest
from grafana_server import TOKEN, grafana_server
from typer.testing import Result

Lccp = Callable[..., Result]


@pytest.mark.slow
def test_push_says_what_became_of_each_part(lccp: Lccp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", f"{TOKEN}\n")
    with grafana_server() as (url, _):
        first = lccp("grafana", "push", "--url", url)
        again = lccp("grafana", "push", "--url", url, "--no-alerts")
    assert first.exit_code == 0, first.output
    assert "folder LCCP: created\ndashboard LCCP run: created\n" in first.stdout
    assert "alerts lccp-verdict: created\n" in first.stdout
    assert set(again.stdout.splitlines()) == {
        "folder LCCP: unchanged",
        "dashboard LCCP run: unchanged",
        "dashboard LCCP fleet: unchanged",
        "dashboard LCCP operator: unchanged",
    }


def test_without_a_token_it_says_where_to_put_one(
    lccp: Lccp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRAFANA_TOKEN", raising=False)
    result = lccp("grafana", "push", "--url", "http://localhost:3000")
    assert result.exit_code == 2
    assert result.stderr == "lccp: GRAFANA_TOKEN is not set: set it to a Grafana token\n"


def test_a_token_that_is_not_valid_is_one_sentence(
    lccp: Lccp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_other")
    with grafana_server() as (url, _):
        result = lccp("grafana", "push", "--url", url)
    sentence = f"lccp: GET {url}/api/datasources: status 401: the token is not valid: Unauthorized"
    assert (result.exit_code, result.stderr) == (2, f"{sentence}\n")
