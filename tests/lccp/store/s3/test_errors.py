"""Errors of the S3 client, as errors of LCCP: the type is the retry policy."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from xml.etree.ElementTree import ParseError

import pytest
from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import HTTPConnectionPool, HTTPHeaderDict, HTTPResponse
from urllib3 import exceptions as http

from lccp.contract.errors import Conflict, InvalidInput, NotFound, StoreRefused, StoreUnavailable
from lccp.store.s3.errors import refusal_in, translated

STORE, KEY = "store s3://b at http://h", "ns/run/run.json"
POOL = HTTPConnectionPool("h")
UNTRUSTED = ssl.SSLError(
    "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: expired (_ssl)"
)


def an_answer(status: int, code: str = "", content_type: str = "application/xml") -> HTTPResponse:
    body = f"<Error><Code>{code}</Code><Message>told</Message></Error>".encode() if code else b""
    headers = HTTPHeaderDict({"content-type": content_type})
    return HTTPResponse(body, headers, status, preload_content=True)


@pytest.mark.parametrize(
    ("status", "code", "error", "sentence"),
    [
        (404, "NoSuchKey", NotFound, f"there is no object {KEY}"),
        (404, "NoSuchBucket", StoreRefused, "there is no such bucket: create it"),
        (412, "PreconditionFailed", Conflict, f"{KEY} was changed by another writer"),
        (409, "ConditionalRequestConflict", Conflict, "was changed by another writer"),
        (403, "RequestTimeTooSkewed", StoreRefused, "'s node differs from the store's: correct it"),
        (403, "AccessDenied", StoreRefused, rf"credentials \(AccessDenied\) for {KEY}: check"),
        (401, "Other", StoreRefused, r"refuses these credentials \(Other\)"),
        (400, "ExpiredToken", StoreRefused, r"refuses these credentials \(ExpiredToken\)"),
        (503, "SlowDown", StoreUnavailable, rf"status 503 \(SlowDown\) for {KEY}"),
        (400, "RequestTimeout", StoreUnavailable, r"does not answer: status 400"),
        (400, "InvalidArgument", InvalidInput, rf"{KEY}: refuses the request .*: told\)"),
        (400, "AuthorizationHeaderMalformed", StoreRefused, rf"{KEY}: refuses the request"),
        (301, "PermanentRedirect", StoreRefused, rf"{KEY}: refuses the request"),
        (507, "XMinioStorageFull", StoreRefused, rf"{KEY}: there is no room left .*: told\)"),
        (400, "XMinioAdminBucketQuotaExceeded", StoreRefused, f"{KEY}: there is no room left"),
        (403, "QuotaExceeded", StoreRefused, f"{KEY}: there is no room left"),
        (507, "Other", StoreRefused, rf"{KEY}: refuses the request .*: told\)"),
    ],
)
def test_a_refusal_is_told_by_its_code_and_status(
    status: int, code: str, error: type[Exception], sentence: str
) -> None:
    found = translated(refusal_in(an_answer(status, code)), STORE, KEY)

    assert type(found) is error
    with pytest.raises(error, match=sentence):
        raise found


@pytest.mark.parametrize(
    ("minutes", "code", "sentence"),
    [
        (-60, "AccessDenied", "'s node is about 60 minutes ahead of the store's: correct it"),
        (60, "AccessDenied", "'s node is about 60 minutes behind the store's: correct it"),
        (60, "RequestTimeTooSkewed", "'s node is about 60 minutes behind the store's: correct it"),
        (61, "AccessDenied", "'s node is about 60 minutes behind the store's: correct it"),
        (2, "AccessDenied", "refuses these credentials"),
    ],
)
def test_a_refusal_by_a_store_whose_clock_differs_is_told_as_that(
    minutes: int, code: str, sentence: str
) -> None:
    """SeaweedFS denies access to requests that were signed long ago."""
    answer = an_answer(403, code)
    answer.headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes))

    found = translated(refusal_in(answer), STORE, KEY)

    assert type(found) is StoreRefused
    assert sentence in str(found)
    assert socket.gethostname() in str(found) or minutes == 2


@pytest.mark.parametrize(("status", "error"), [(502, StoreUnavailable), (404, StoreRefused)])
def test_an_answer_that_is_no_s3_is_told_by_its_status(status: int, error: type[Exception]) -> None:
    """A proxy before the store answers in HTML."""
    refusal = refusal_in(an_answer(status, "NoSuchKey", "text/html"))

    assert isinstance(refusal, InvalidResponseError)
    assert type(translated(refusal, STORE, KEY)) is error
    assert type(translated(ServerError("x", status), STORE, KEY)) is error


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (http.NameResolutionError("h", POOL, OSError()), "its host name cannot be resolved"),
        (http.ReadTimeoutError(POOL, "/", "x"), f"no answer within the time allowed for {KEY}"),
        (http.ConnectTimeoutError(POOL, "/", "x"), "no connection within the time allowed"),
        (http.ProtocolError("x"), "the connection was lost"),
        (OSError(113, "No route to host"), "No route to host"),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), "TLS failed"),
    ],
)
def test_a_network_that_fails_is_worth_another_try(error: Exception, sentence: str) -> None:
    wrapped = http.MaxRetryError(POOL, "/?X-Amz-Signature=s", error)
    for given in (error, wrapped):
        found = translated(given, STORE, KEY)
        assert type(found) is StoreUnavailable
        assert str(found) == f"{STORE} does not answer: {sentence}"


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (UNTRUSTED, StoreRefused, r"its certificate is not trusted \(expired\): caFile must name"),
        (ParseError("x"), StoreRefused, "the endpoint does not speak S3"),
        (ValueError("bucket name A"), InvalidInput, f"{STORE}: bucket name A"),
    ],
)
def test_what_no_further_try_mends_is_an_input_error(
    error: Exception, kind: type[Exception], sentence: str
) -> None:
    found = translated(error, STORE, KEY)

    assert type(found) is kind
    with pytest.raises(kind, match=sentence):
        raise found


def test_an_error_with_a_body_is_the_sdks_own() -> None:
    assert isinstance(refusal_in(an_answer(404, "NoSuchKey")), S3Error)
    assert isinstance(refusal_in(an_answer(404)), InvalidResponseError)


@pytest.mark.parametrize("key", ["", ".health/"])
def test_a_check_of_the_whole_store_names_no_object(key: str) -> None:
    """Its words are compared: each new sentence is told to every run of the store."""
    found = translated(refusal_in(an_answer(403, "AccessDenied")), STORE, key)

    assert "refuses these credentials (AccessDenied): check the keys" in str(found)
