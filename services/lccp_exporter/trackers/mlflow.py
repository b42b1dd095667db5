"""MLflow: a run of an experiment, whose metrics have tokens as their steps."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from lccp_exporter.trackers.rows import TrackedRow, TrackedRun
from lccp_exporter.trackers.tracker import TrackerFailed

RUN_TAG, DIGEST_TAG = "lccp.run", "lccp.digest"
METRICS_MAX, PARAMETERS_MAX = 1_000, 100
"""Limits of one call."""
VALUE_LENGTH_MAX, SENTENCE_LENGTH_MAX = 500, 300


class MLflow:
    """The server at `uri`, and the experiment `project` there. Raises TrackerFailed.

    MLflow deletes nothing: a step that a later attempt repeated stays as it was first logged.
    """

    def __init__(self, uri: str, project: str) -> None:
        with _failing(uri):
            self._client = MlflowClient(tracking_uri=uri)
        self._uri = uri
        self._project = project

    def export(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> int:
        """Log values that MLflow's run lacks; returns how many rows had new ones."""
        with _failing(self._uri):
            run_id = self._found(run) or self._made(run, rows)
            known = self._steps(run_id)
            new = [metrics for row in rows if (metrics := list(_metrics(row, known)))]
            every = [metric for metrics in new for metric in metrics]
            for start in range(0, len(every), METRICS_MAX):
                self._client.log_batch(run_id, metrics=every[start : start + METRICS_MAX])
            tags = [RunTag(f"lccp.verdict.{key}", str(v)) for key, v in run.verdict.items()]
            self._client.log_batch(run_id, tags=tags)
            if run.finished:
                self._client.set_terminated(run_id)
            return len(new)

    def _found(self, run: TrackedRun) -> str | None:
        """The ID of our run, if there is one."""
        experiment = self._client.get_experiment_by_name(self._project)
        if experiment is None:
            return None
        ours = f"tags.`{RUN_TAG}` = '{run.name}' and tags.`{DIGEST_TAG}` = '{run.digest}'"
        found = self._client.search_runs([experiment.experiment_id], ours, max_results=1)
        return found[0].info.run_id if found else None

    def _made(self, run: TrackedRun, rows: Sequence[TrackedRow]) -> str:
        experiment = self._client.get_experiment_by_name(self._project)
        number = (
            experiment.experiment_id
            if experiment is not None
            else self._client.create_experiment(self._project)
        )
        started = _milliseconds(rows[0]) if rows else None
        tags = {RUN_TAG: run.name, DIGEST_TAG: run.digest}
        made = self._client.create_run(number, started, tags, run.name)
        parameters = [Param(key, value[:VALUE_LENGTH_MAX]) for key, value in flat(run.parameters)]
        for start in range(0, len(parameters), PARAMETERS_MAX):
            part = parameters[start : start + PARAMETERS_MAX]
            self._client.log_batch(made.info.run_id, params=part)
        return str(made.info.run_id)

    def _steps(self, run_id: str) -> dict[str, set[int]]:
        """Steps that each metric has."""
        names = self._client.get_run(run_id).data.metrics
        return {
            name: {metric.step for metric in self._client.get_metric_history(run_id, name)}
            for name in names
        }


def _metrics(row: TrackedRow, known: Mapping[str, set[int]]) -> Iterator[Metric]:
    for name, value in row.values.items():
        if row.tokens not in known.get(name, ()):
            yield Metric(name, value, _milliseconds(row), row.tokens)


def _milliseconds(row: TrackedRow) -> int:
    return int(row.at.timestamp() * 1_000)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of nested JSON, by its path: `data.sources.0.name`."""
    if isinstance(value, Mapping):
        parts = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(str(number), part) for number, part in enumerate(value)]
    else:
        yield path, str(value)
        return
    for key, part in parts:
        yield from flat(part, f"{path}.{key}" if path else key)


@contextmanager
def _failing(uri: str) -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        text = " ".join(str(error).split())[:SENTENCE_LENGTH_MAX]
        raise TrackerFailed(f"MLflow at {uri}: {text}") from None
