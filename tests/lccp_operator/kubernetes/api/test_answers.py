"""The meaning of the API server's answers."""

import json

import pytest

from lccp.contract.errors import Conflict, NotFound
from lccp_operator.kubernetes.api.answers import (
    AlreadyExists,
    ApiUnavailable,
    Forbidden,
    Gone,
    Refused,
    error_of,
    event_of,
    message_of,
    reason_of,
)


def answer(message: str, reason: str = "") -> bytes:
    return json.dumps({"kind": "Status", "message": message, "reason": reason}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (400, "", Refused),
        (401, "Unauthorized", ApiUnavailable),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Gone),
        (422, "Invalid", Refused),
        (429, "TooManyRequests", ApiUnavailable),
        (503, "ServiceUnavailable", ApiUnavailable),
    ],
)
def test_a_status_is_an_error_that_says_path_and_message(
    status: int, reason: str, error: type[Exception]
) -> None:
    found = error_of(status, answer("because", reason), "/apis/batch/v1/jobs")

    assert type(found) is error
    assert str(found).startswith("/apis/batch/v1/jobs: ")
    assert str(found).endswith("because")


def test_a_field_that_the_crd_lacks_is_refused_with_what_would_mend_it() -> None:
    told = "failed to create typed patch object: .status.installation: field not declared in schema"

    found = error_of(500, answer(told), "/apis/lccp.io/v1alpha1")

    assert type(found) is Refused
    assert told in str(found)
    assert str(found).endswith("apply crds/lccpruns.lccp.io.yaml of its chart")


@pytest.mark.parametrize(
    ("told", "reason", "ends"),
    [
        ('User "lccp" cannot create resource "jobs" in the', "PermissionMissing", "role"),
        ('jobs.batch "a" is forbidden: exceeded quota: small', "QuotaExceeded", "small"),
        ('pods "a" is forbidden: violates PodSecurity "baseline"', "PodRejected", '"baseline"'),
    ],
)
def test_a_403_of_rbac_is_told_apart_from_those_of_admission(
    told: str, reason: str, ends: str
) -> None:
    found = error_of(403, answer(told, "Forbidden"), "/apis/batch/v1/jobs")

    assert isinstance(found, Forbidden)
    assert told in str(found)
    assert str(found).endswith(ends)
    assert reason_of(found) == reason


@pytest.mark.parametrize("data", [b"upstream is down", b'"upstream is down"', b"\xff\x00"])
def test_an_answer_that_is_no_status_is_its_own_message(data: bytes) -> None:
    assert message_of(data) == data.decode(errors="replace")
    assert isinstance(error_of(503, data, "/api"), ApiUnavailable)


def test_a_page_of_a_proxy_is_cut_to_200_characters() -> None:
    assert message_of(b"<html>" * 100) == ("<html>" * 100)[:200]


def test_an_error_in_a_watch_is_raised_and_other_events_pass() -> None:
    added = {"type": "ADDED", "object": {"metadata": {"name": "tiny"}}}
    expired = {"type": "ERROR", "object": {"code": 410, "message": "too old"}}

    assert event_of(added, "/api/v1/pods") == added
    with pytest.raises(Gone, match="/api/v1/pods: too old"):
        event_of(expired, "/api/v1/pods")
    with pytest.raises(ApiUnavailable, match="answers 500"):
        event_of({"type": "ERROR", "object": {}}, "/api/v1/pods")
