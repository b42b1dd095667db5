"""The application: metrics for Prometheus, and whether the process is healthy."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lccp_exporter import exposition
from lccp_exporter.health import ExportHealth
from lccp_exporter.refresh import Runs
from lccp_exporter.web import api, openapi, pages
from lccp_exporter.web.answers import Problem, problem


def application(
    runs: Runs,
    healthy: Callable[[], bool],
    exports: Callable[[], Sequence[ExportHealth]] = tuple,
) -> Starlette:
    """The application over `runs`; `healthy` decides what `/healthz` answers: 200 or 503.

    `exports` says how those to trackers go.
    """

    def metrics(_request: Request) -> Response:
        lines = [run.lines for run in runs.all()]
        page = exposition.page(lines, runs.stores(), exports())
        return StreamingResponse(page, media_type=exposition.CONTENT_TYPE)

    def healthz(_request: Request) -> Response:
        if healthy():
            return PlainTextResponse("ok\n")
        return PlainTextResponse("a thread has ended\n", status_code=503)

    own = [Route("/metrics", metrics), Route("/healthz", healthz)]
    return Starlette(
        routes=[*own, *api.routes(runs), openapi.route(), *pages.routes(runs)],
        exception_handlers={Problem: problem},
    )
