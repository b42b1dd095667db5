"""Runs on a real MLflow server."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import a_run
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow_server import mlflow_server

from lccp.report.load import RunData
from lccp_exporter.trackers.mlflow import MLflow
from lccp_exporter.trackers.rows import TrackedRun, rows_of
from lccp_exporter.trackers.tracker import TrackerFailed

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


def export(server: str, project: str, data: RunData) -> int:
    return MLflow(server, project).export(TrackedRun.of(data), rows_of(data))


def the_run(client: MlflowClient, project: str) -> Run:
    experiment = client.get_experiment_by_name(project)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


@pytest.mark.timeout(600)
def test_late_results_come_where_they_belong_and_nothing_comes_twice(
    server: str, early: RunData, whole: RunData
) -> None:
    assert export(server, "late", early) > 0
    assert export(server, "late", whole) > 0
    assert export(server, "late", whole) == 0
    client = MlflowClient(server)
    run = the_run(client, "late")
    history = client.get_metric_history(run.info.run_id, "signal/niah_ppl")
    found = sorted((metric.step, metric.value) for metric in history)
    expected = []
    for report in whole.reports:
        signal = report.signal("niah_ppl")
        assert signal is not None
        expected.append((report.tokens, signal.value))
    assert found == expected
    losses = client.get_metric_history(run.info.run_id, "training/loss")
    assert len({metric.step for metric in losses}) == len(losses) == len(whole.history)


def test_the_run_tells_its_spec_its_verdict_and_its_end(server: str, whole: RunData) -> None:
    export(server, "told", whole)
    run = the_run(MlflowClient(server), "told")
    assert run.data.params["training.globalBatchTokens"] == str(a_run.STEP_TOKENS)
    assert run.data.tags["lccp.verdict.state"] == "Saturated"
    assert run.info.status == "FINISHED"


def test_another_run_of_the_same_name_is_a_run_of_its_own(server: str, early: RunData) -> None:
    export(server, "two", early)
    other = dataclasses.replace(TrackedRun.of(early), digest="another")
    MLflow(server, "two").export(other, rows_of(early))
    experiment = MlflowClient(server).get_experiment_by_name("two")
    assert experiment is not None
    assert len(MlflowClient(server).search_runs([experiment.experiment_id])) == 2


def test_a_server_that_does_not_answer_is_one_sentence(
    early: RunData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackerFailed, match=r"^MLflow at http://127\.0\.0\.1:9: "):
        export("http://127.0.0.1:9", "none", early)
