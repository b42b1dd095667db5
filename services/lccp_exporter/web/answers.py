"""Answers of the JSON API: bodies with an ETag, and errors as one sentence."""

import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lccp.contract.base import Contract

JSON = "application/json"


class Problem(Exception):
    """An error in a request, or a missing object; `status` is HTTP's."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def json_answer(request: Request, body: Contract | bytes) -> Response:
    """The body, or 304 if the caller has it already."""
    data = body if isinstance(body, bytes) else body.model_dump_json(by_alias=True).encode()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    known = [one.strip() for one in request.headers.get("If-None-Match", "").split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=JSON, headers=headers)


def problem(_request: Request, error: Exception) -> Response:
    """A `Problem` as JSON."""
    status = error.status if isinstance(error, Problem) else 500
    return JSONResponse({"detail": str(error)}, status_code=status)


def integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A parameter of the query. Raises Problem (400)."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise Problem(400, f"{name}: must be an integer from {least} to {most}, not {text[:40]!r}")
    return int(text)
