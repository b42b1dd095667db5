"""Answers of the JSON API: ETags, and parameters."""

from typing import Any

import pytest
from starlette.requests import Request

from lccp.contract.base import Contract
from lccp_exporter.web.answers import Problem, integer, json_answer, problem


class Body(Contract):
    some_value: int = 1


def a_request(query: str = "", **headers: str) -> Request:
    given: list[Any] = [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": given})


def test_a_body_is_camel_case_and_has_an_etag_of_its_content() -> None:
    one, same = json_answer(a_request(), Body()), json_answer(a_request(), b'{"someValue":1}')

    assert one.body == b'{"someValue":1}'
    assert one.headers["ETag"] == same.headers["ETag"]
    assert json_answer(a_request(), Body(some_value=2)).headers["ETag"] != one.headers["ETag"]


def test_what_the_caller_has_is_not_sent() -> None:
    etag = json_answer(a_request(), Body()).headers["ETag"]
    for known in (etag, f'"other", {etag}', "*"):
        answer = json_answer(a_request(if_none_match=known), Body())
        assert (answer.status_code, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    assert json_answer(a_request(if_none_match='"other"'), Body()).status_code == 200


@pytest.mark.parametrize(("query", "value"), [("", 7), ("n=1", 1), ("n=10", 10), ("n=010", 10)])
def test_a_parameter_is_an_integer_within_bounds(query: str, value: int) -> None:
    assert integer(a_request(query), "n", 7, 1, 10) == value


@pytest.mark.parametrize("text", ["", "0", "11", "-1", "1.0", "x", "%D9%A3", "9" * 50])
def test_any_other_is_a_problem_of_the_caller(text: str) -> None:
    with pytest.raises(Problem, match="n: must be an integer from 1 to 10, not ") as found:
        integer(a_request(f"n={text}"), "n", 7, 1, 10)
    assert found.value.status == 400
    assert len(str(found.value)) < 90


def test_a_problem_is_told_in_json() -> None:
    told = problem(a_request(), Problem(404, "there is no run"))

    assert (told.status_code, told.body) == (404, b'{"detail":"there is no run"}')
    assert problem(a_request(), ValueError("x")).status_code == 500
