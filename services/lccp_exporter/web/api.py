"""The JSON API: read-only, paged, with ETags."""

import bisect
from collections.abc import Callable
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lccp.analysis.correlation import correlations
from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.training import StepRecord
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import InvalidInput, NotFound, StoreUnavailable
from lccp.contract.quantities import TOKENS_MAX
from lccp.facts.listing import Listing
from lccp.report.load import history_of
from lccp.store.keys import RunKeys
from lccp_exporter.refresh import Runs, ShownRun
from lccp_exporter.web.answers import Problem, integer, json_answer
from lccp_exporter.web.objects import HistoryPage, RunDetail, RunPage, RunSummary

PREFIX = "/api/v1"
RUNS_MAX, STEPS_MAX = 500, 10_000
STEP_MAX = 2**53
Answer = TypeVar("Answer")
Object = TypeVar("Object", bound=StoreObject)


def routes(runs: Runs) -> list[Route]:
    """The routes of the API over `runs`."""

    def of_run(answer: Callable[[Request, ShownRun], Response]) -> Callable[[Request], Response]:
        return lambda request: answer(request, found(runs, request))

    run = f"{PREFIX}/runs/{{namespace}}/{{name}}"
    return [
        Route(f"{PREFIX}/runs", lambda request: listed(request, runs)),
        Route(run, of_run(detail)),
        Route(f"{run}/verdict", of_run(verdict)),
        Route(f"{run}/correlations", of_run(correlated)),
        Route(f"{run}/history", of_run(logged)),
        Route(f"{run}/report", of_run(report)),
    ]


def found(runs: Runs, request: Request) -> ShownRun:
    """The run that the path names. Raises Problem (404)."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    run = runs.get(namespace, name)
    if run is None:
        raise Problem(404, f"there is no run {namespace}/{name}")
    return run


def listed(request: Request, runs: Runs) -> Response:
    limit = integer(request, "limit", 100, 1, RUNS_MAX)
    after = tuple(request.query_params.get("after", "").split("/", 1))
    every = runs.all()
    names = [(run.facts.namespace, run.facts.run) for run in every]
    start = bisect.bisect_right(names, after) if "after" in request.query_params else 0
    shown = every[start : start + limit]
    more = start + limit < len(every)
    page = RunPage(
        items=tuple(RunSummary.of(run.facts) for run in shown),
        next="/".join(names[start + limit - 1]) if more else None,
    )
    return json_answer(request, page)


def detail(request: Request, run: ShownRun) -> Response:
    return json_answer(request, RunDetail.of(run.facts))


def verdict(request: Request, run: ShownRun) -> Response:
    return json_answer(request, stored_verdict(run))


def correlated(request: Request, run: ShownRun) -> Response:
    return json_answer(request, correlations(stored_verdict(run)))


def report(request: Request, run: ShownRun) -> Response:
    newest = run.facts.newest
    tokens = integer(request, "tokens", newest.tokens if newest else 0, 0, TOKENS_MAX)
    suite = request.query_params.get("suite", INTRINSIC)
    key = known_report(run, tokens, suite)
    return json_answer(request, stored(run, key, EvaluationReport, "no such report"))


def logged(request: Request, run: ShownRun) -> Response:
    limit = integer(request, "limit", 1_000, 1, STEPS_MAX)
    after = integer(request, "after", 0, 0, STEP_MAX)
    steps = from_store(lambda: steps_of(run))
    start = bisect.bisect_right(steps, after, key=lambda line: line.step)
    shown = steps[start : start + limit]
    more = start + limit < len(steps)
    return json_answer(request, HistoryPage(items=shown, next=shown[-1].step if more else None))


def steps_of(run: ShownRun) -> tuple[StepRecord, ...]:
    """The logged steps, as stored."""
    keys = keys_of(run)
    listing = Listing(keys, run.store.list(keys.trainings))
    return history_of(run.store, keys, listing.writers())


def keys_of(run: ShownRun) -> RunKeys:
    return RunKeys(run.facts.namespace, run.facts.run)


def known_report(run: ShownRun, tokens: int, suite: str) -> str:
    """The key of a report that was listed. Raises Problem (404)."""
    if not any((one.tokens, one.suite) == (tokens, suite) for one in run.facts.measured):
        raise Problem(404, f"there is no report of the suite {suite[:40]!r} at {tokens} tokens")
    return keys_of(run).report(tokens, suite)


def stored_verdict(run: ShownRun) -> Verdict:
    """Raises Problem (404 before there is one)."""
    return stored(run, keys_of(run).verdict, Verdict, "no verdict")


def stored(run: ShownRun, key: str, kind: type[Object], absent: str) -> Object:
    """The object at `key`. Raises Problem (404 if it is not there)."""
    data = from_store(lambda: run.store.get(key), absent)
    return from_store(lambda: kind.from_json(data, key))


def from_store(read: Callable[[], Answer], absent: str = "no such object") -> Answer:
    """The result of `read`. Raises Problem: 404, 502 for damaged objects, 503."""
    try:
        return read()
    except NotFound:
        raise Problem(404, f"the run has {absent}") from None
    except StoreUnavailable as error:
        raise Problem(503, str(error)) from None
    except InvalidInput as error:
        raise Problem(502, str(error)) from None
