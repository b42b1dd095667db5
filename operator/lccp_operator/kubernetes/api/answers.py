"""Answers of the API server that refuse a request, as errors. Pure."""

import json
import re

from lccp.api.conditions import Reason
from lccp.contract.errors import Conflict, InvalidInput, LccpError, NotFound
from lccp_operator.kubernetes.api.merge import Object

UNDECLARED = "field not declared in schema"
"""Part of a 500, by which the API server refuses to apply a field that the CRD does not have."""
OTHER_CRD = (
    "the CRD in the cluster is of another version than this operator: apply "
    "crds/lccpruns.lccp.io.yaml of its chart"
)

DENIED = re.compile(r" cannot \w+ resource ")
"""Part of a 403 of RBAC; those of admission say what they forbid."""


class ApiUnavailable(LccpError):
    """The API server did not answer within its timeout and retries."""


class AdmissionUnavailable(ApiUnavailable):
    """A webhook that must admit an object does not answer."""


class Refused(InvalidInput):
    """The API server, or a webhook that admits objects to it, does not accept this."""


class Forbidden(Refused):
    """The API server does not permit the operator to do this."""


class Denied(Forbidden):
    """By RBAC: the operator's role lacks the permission."""


class AlreadyExists(Conflict):
    """There is already an object of this name."""


class Gone(LccpError):
    """The watch can't resume where it ended: list again."""


def event_of(event: Object, path: str) -> Object:
    """An event of a watch. Raises the error that the API server sends instead of one."""
    if event["type"] != "ERROR":
        return event
    status = event["object"]
    raise error_of(status.get("code", 500), json.dumps(status).encode(), path)


def _answer(data: bytes) -> Object:
    """The Status that the API server sends with an error; anything else is its message."""
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"message": data.decode(errors="replace")[:200]}


def message_of(data: bytes) -> str:
    return str(_answer(data).get("message", ""))


def error_of(status: int, data: bytes, path: str) -> LccpError:
    """The error for an answer of the API server."""
    message = message_of(data)
    match status:
        case 500 if UNDECLARED in message:
            return Refused(f"{path}: {message}: {OTHER_CRD}")
        case 404 if path.endswith("/status"):
            return NotFound(f"{path}: {message}: if the run is there, {OTHER_CRD}")
        case 404:
            return NotFound(f"{path}: {message}")
        case 410:
            return Gone(f"{path}: {message}")
        case 429 | 500 | 502 | 503 | 504:
            return ApiUnavailable(f"{path}: the API server answers {status}: {message}")
        case 409 if _answer(data).get("reason") == "AlreadyExists":
            return AlreadyExists(f"{path}: {message}")
        case 409:
            return Conflict(f"{path}: {message}")
        case 403 if DENIED.search(message):
            return Denied(f"{path}: {message}: helm upgrade restores the operator's role")
        case 401:
            told = "the API server does not accept the operator's credentials"
            return ApiUnavailable(f"{path}: {told}: {message}")
        case 403:
            return Forbidden(f"{path}: {message}")
        case _:
            return Refused(f"{path}: the API server answers {status}: {message}")


def reason_of(error: LccpError) -> Reason:
    """The reason of a condition that says that an object could not be created."""
    if isinstance(error, Denied):
        return Reason.PERMISSION_MISSING
    return Reason.QUOTA_EXCEEDED if "exceeded quota" in str(error) else Reason.POD_REJECTED
