"""Maps errors of the S3 client to errors of LCCP."""

import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3 import BaseHTTPResponse
from urllib3 import exceptions as http

from lccp.contract.errors import (
    Conflict,
    InvalidInput,
    LccpError,
    NotFound,
    StoreRefused,
    StoreUnavailable,
)
from lccp.store.s3.client import RETRIED_STATUSES

FOREIGN = (MinioException, http.HTTPError, OSError, ParseError, ValueError)

_BUSY_CODES = {"RequestTimeout", "SlowDown", "InternalError", "NoSuchUpload"}
_CREDENTIAL_CODES = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
}

_ADDRESS_CODES = {
    "AuthorizationHeaderMalformed",
    "InvalidBucketName",
    "MethodNotAllowed",
    "PermanentRedirect",
}
"""Of a wrong region, bucket or endpoint, which no run asked for."""


_FULL_CODES = {"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"}
"""Of Ceph and MinIO."""

SKEW_MINUTES = 5
"""Stores accept requests that were signed up to 15 minutes ago, or as early. A difference is told
in steps of this: each new sentence is told to every run of the store."""


class BeyondEnd(LccpError):
    """An object ends before the first requested byte."""


def translated(error: Exception, store: str, key: str, makes: bool = False) -> LccpError:
    """The error of LCCP for `error`, raised at `key` of `store` (its name in messages).

    `makes`: by a write of an object whether it exists or not, so that it can't be what is missing.
    """
    match error:
        case S3Error() if makes and error.code == "NoSuchKey":
            told = "answers 404 to a write: there is no S3 bucket; check its URL and endpoint"
            return StoreRefused(f"{store}: {told}")
        case S3Error():
            return _refusal(error, store, key)
        case InvalidResponseError():
            return _strange_answer(error._code, store, key)
        case ServerError():
            return _strange_answer(error.status_code, store, key)
        case http.MaxRetryError() if error.reason is not None:
            return translated(error.reason, store, key)
        case http.SSLError() | ssl.SSLError():
            return _tls_failure(error, store)
        case http.ReadTimeoutError():
            return StoreUnavailable(f"{store} does not answer: {_cause(error)}{_for(key)}")
        case http.HTTPError() | OSError():
            return StoreUnavailable(f"{store} does not answer: {_cause(error)}")
        case ParseError() | UnicodeDecodeError():
            return StoreRefused(f"{store}: the endpoint does not speak S3")
        case _:
            return InvalidInput(f"{store}: {error}")


def refusal_in(response: BaseHTTPResponse) -> MinioException:
    """The error in a failed response, as the SDK would raise it."""
    if "xml" in response.headers.get("content-type", "") and response.data:
        return S3Error.fromxml(response)
    return InvalidResponseError(response.status, response.headers.get("content-type"), None)


def _refusal(error: S3Error, store: str, key: str) -> LccpError:
    status, code = error.response.status, error.code or ""
    if code == "NoSuchKey":
        return NotFound(f"{store}: there is no object {key}")
    if code == "InvalidRange":
        return BeyondEnd(f"{store}: {key} ends before the requested bytes")
    if code == "NoSuchBucket":
        return StoreRefused(f"{store}: there is no such bucket: create it, or correct the URL")
    clock = _wrong_clock(error.response) if status in (401, 403) else None
    if clock is not None or code == "RequestTimeTooSkewed":
        wrong = clock or f"the clock of {_machine()} differs from the store's"
        return StoreRefused(f"{store}: refuses the request ({code}), since {wrong}: correct it")
    if status in (409, 412):
        return Conflict(f"{store}: {key} was changed by another writer")
    if code in _BUSY_CODES or status in RETRIED_STATUSES:
        return StoreUnavailable(f"{store} does not answer: status {status} ({code}){_for(key)}")
    if code in _FULL_CODES:
        return StoreRefused(f"{store}: {key}: there is no room left ({code}: {error.message})")
    if code in _CREDENTIAL_CODES or status in (401, 403):
        return StoreRefused(
            f"{store}: refuses these credentials ({code}){_for(key)}: check the keys, and that "
            "they may read, write, list and delete there"
        )
    of_store = status >= 500 or code in _ADDRESS_CODES
    refused = StoreRefused if of_store else InvalidInput
    return refused(f"{store}: {key}: refuses the request ({code}: {error.message})")


def _wrong_clock(response: BaseHTTPResponse) -> str | None:
    """How much the clock here differs from the store's, in words; None: not so much as to matter.

    Requests are signed with their time, and some stores only say that they deny access.
    """
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    steps = round((datetime.now(UTC) - told.astimezone(UTC)).total_seconds() / 60 / SKEW_MINUTES)
    if steps == 0:
        return None
    how = "ahead of" if steps > 0 else "behind"
    about = SKEW_MINUTES * abs(steps)
    return f"the clock of {_machine()} is about {about} minutes {how} the store's"


def _machine() -> str:
    """Whose clock it is: the name of a pod, or of a machine without Kubernetes."""
    return f"{socket.gethostname()}'s node"


def _for(key: str) -> str:
    """The object, since others may be in order. Checks of a whole store say the same each time."""
    return f" for {key}" if key and not key.startswith(".") else ""


def _strange_answer(status: int, store: str, key: str) -> LccpError:
    if status in RETRIED_STATUSES:
        return StoreUnavailable(f"{store} does not answer: status {status}{_for(key)}")
    return StoreRefused(f"{store}: the endpoint does not speak S3 (status {status})")


def _tls_failure(error: Exception, store: str) -> LccpError:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" not in text:
        return StoreUnavailable(f"{store} does not answer: TLS failed")
    reason = re.search(r"certificate verify failed: ([^(\]]+)", text)
    why = f" ({reason.group(1).strip()})" if reason else ""
    return StoreRefused(
        f"{store}: its certificate is not trusted{why}: caFile must name the CA that signed it"
    )


def _cause(error: Exception) -> str:
    match error:
        case http.NameResolutionError():
            return "its host name cannot be resolved"
        case http.NewConnectionError():
            return _system_reason(error) or "no connection"
        case http.ConnectTimeoutError():
            return "no connection within the time allowed"
        case http.ReadTimeoutError():
            return "no answer within the time allowed"
        case http.ResponseError():
            return str(error)
        case http.ProtocolError() | http.IncompleteRead():
            return "the connection was lost"
        case OSError():
            return error.strerror or "the connection was lost"
        case _:
            return type(error).__name__


def _system_reason(error: Exception) -> str | None:
    cause = error.__cause__ or error.__context__
    reason = cause.strerror if isinstance(cause, OSError) else None
    return reason.lower() if reason else None
