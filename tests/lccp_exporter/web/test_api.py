"""The JSON API: what it answers."""

from pathlib import Path

import a_run
import pytest
from served_api import Api, over
from starlette.testclient import TestClient

from lccp.analysis.correlation import Correlations, correlations
from lccp.api.objects.verdict import Verdict
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter.refresh import Runs, StoreWatch
from lccp_exporter.web.server import application

pytestmark = pytest.mark.slow

RUN = "/api/v1/runs/default/tiny"


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return over(tmp_path / "runs")


def test_a_run_in_the_list_says_how_far_it_is(api: Api) -> None:
    page = api.get("/api/v1/runs").json()
    (run,) = page["items"]
    assert page["next"] is None
    assert (run["namespace"], run["name"], run["phase"]) == ("default", "tiny", "Training")
    assert (run["tokens"], run["tokensTotal"]) == (a_run.CHECKPOINTS[6], a_run.BUDGET_TOKENS)
    assert run["verdict"] == "DeceptivelySaturated"
    measured = a_run.report(a_run.CHECKPOINTS[6]).signal("niah_ppl")
    assert measured is not None
    assert run["signals"]["niah_ppl"] == measured.value


def test_a_run_says_where_its_time_went_and_what_stood_out(api: Api) -> None:
    run = api.get(RUN).json()
    assert run["goodput"] == 0.75
    assert run["ledger"]["productive"] == 150
    assert run["acceleratorSeconds"] == 8 * a_run.LEDGER.total
    assert run["spikesTotal"] == 3
    assert [spike["step"] for spike in run["spikes"]] == [90]
    assert run["heldOut"]["cells"][0]["band"] == "within"
    assert run["positionShares"][1] == {"start": 256, "end": 512, "share": 0.375}
    assert run["lossBySource"] == {"long": 3.25, "short": 2.5}
    assert run["router"]["entropy"] == [[1.2, 0.9], [1.1, 1.0]]
    assert (run["router"]["experts"], run["router"]["expertsPerToken"]) == (8, 2)
    assert run["peakMemoryBytes"] == 2**30


def test_pages_join_to_the_whole_list(api: Api) -> None:
    names = [("b", "one"), ("a-b", "two"), ("a", "three"), ("a", "b-four")]
    for namespace, name in names:
        a_run.put(
            api.store,
            a_run.without(a_run.running(0), "verdict"),
            RunKeys(namespace, name),
        )
    api.watch.refresh()
    seen, path = [], "/api/v1/runs?limit=2"
    while path:
        page = api.get(path).json()
        assert len(page["items"]) <= 2
        seen += [(run["namespace"], run["name"]) for run in page["items"]]
        path = f"/api/v1/runs?limit=2&after={page['next']}" if page["next"] else ""
    assert seen == sorted([*names, ("default", "tiny")])


def test_a_run_shows_every_signal_of_every_checkpoint(api: Api) -> None:
    run = api.get(RUN).json()
    assert [c["tokens"] for c in run["checkpoints"]] == list(a_run.CHECKPOINTS[:7])
    for checkpoint in run["checkpoints"]:
        expected = {s.name: s.value for s in a_run.report(checkpoint["tokens"]).signals()}
        assert expected.items() <= checkpoint["signals"].items()


def test_stored_objects_are_answered_as_they_are(api: Api) -> None:
    tokens = a_run.CHECKPOINTS[3]
    verdict = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:7]))
    assert api.get(f"{RUN}/verdict").json()["state"] == verdict.state
    assert api.get(f"{RUN}/report").json()["tokens"] == a_run.CHECKPOINTS[6]
    assert api.get(f"{RUN}/report?tokens={tokens}").json()["tokens"] == tokens


def test_correlations_are_those_of_the_stored_verdict(api: Api) -> None:
    verdict = Verdict.from_json(api.store.get(a_run.KEYS.verdict), "stored")
    answered = Correlations.parse(api.get(f"{RUN}/correlations").json(), "answer")
    assert answered.pairs
    assert answered == correlations(verdict)


def test_without_a_verdict_there_are_no_correlations(api: Api) -> None:
    api.store.delete(a_run.KEYS.verdict)
    answer = api.get(f"{RUN}/correlations")
    assert (answer.status_code, answer.json()) == (404, {"detail": "the run has no verdict"})


def test_the_history_is_paged_by_step(api: Api) -> None:
    steps, after = [], 0
    while after is not None:
        page = api.get(f"{RUN}/history?limit=60&after={after}").json()
        steps += [line["step"] for line in page["items"]]
        after = page["next"]
    assert steps == list(range(1, 151))


def test_what_the_caller_has_is_not_sent_again(api: Api) -> None:
    for path in ("/api/v1/runs", RUN, f"{RUN}/verdict", f"{RUN}/history", f"{RUN}/report"):
        etag = api.get(path).headers["ETag"]
        again = api.get(path, If_None_Match=etag)
        assert (again.status_code, again.content) == (304, b"")
    etag = api.get(RUN).headers["ETag"]
    api.store.put(a_run.KEYS.heartbeat(a_run.WRITER), a_run.heartbeat(7).to_json())
    api.watch.refresh()
    assert api.get(RUN, If_None_Match=etag).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/api/v1/runs?limit=0", 400, "limit: must be an integer from 1 to 500, not '0'"),
        ("/api/v1/runs?limit=many", 400, "limit: must be an integer from 1 to 500, not 'many'"),
        ("/api/v1/runs/default/none", 404, "there is no run default/none"),
        (f"{RUN}/report?tokens=5", 404, "there is no report of the suite 'intrinsic' at 5 tokens"),
        (
            f"{RUN}/report?suite=../../x",
            404,
            f"there is no report of the suite '../../x' at {a_run.CHECKPOINTS[6]} tokens",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    api: Api, path: str, status: int, sentence: str
) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()) == (status, {"detail": sentence})


def test_a_damaged_verdict_and_a_store_that_is_away_are_told_apart(api: Api) -> None:
    api.store.put(a_run.KEYS.verdict, b'{"schemaVersion": 99}')
    assert api.get(f"{RUN}/verdict").status_code == 502
    api.store.answers = False
    assert api.get(f"{RUN}/history").status_code == 503
    assert api.get(RUN).status_code == 200


def test_a_plain_file_store_is_enough(tmp_path: Path) -> None:
    watch = StoreWatch("empty", FileStore(tmp_path), a_run.timedelta(days=1))
    watch.refresh()
    client = TestClient(application(Runs([watch]), healthy=lambda: True))
    assert client.get("/api/v1/runs").json() == {"items": [], "next": None}
