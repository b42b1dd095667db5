"""Several checkpoints of a series are measured at a time, each by a process of its own."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from measured import few
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.contract.errors import InvalidInput
from lccp_evaluator.jobs.jobs import VISIBLE, Jobs, devices_of
from lccp_evaluator.model.execution import Execution
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained

ON_A_CPU = Execution("cpu", jobs=2)
PLACES = [{}, {}]


def a_series(out: Path) -> EvaluationSeries:
    return EvaluationSeries(out, SeriesSettings(few(), execution=ON_A_CPU))


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[CheckpointDirectory]:
    paths = [a_checkpoint(tmp_path / f"step-{n}", seed=n) for n in (1, 2, 3)]
    return [CheckpointDirectory(path, Trained(n)) for n, path in enumerate(paths, 1)]


@pytest.mark.long
def test_reports_are_the_same_as_of_one_after_the_other(
    tmp_path: Path, checkpoints: list[CheckpointDirectory]
) -> None:
    alone, jobs = a_series(tmp_path / "alone"), a_series(tmp_path / "jobs")
    for checkpoint in checkpoints:
        alone.evaluate(checkpoint, lambda done: None)
    seen = list(Jobs(jobs, PLACES).events(checkpoints))

    first = next(n for n, (_, event) in enumerate(seen) if isinstance(event, EvaluationReport))
    assert {one.tokens for one, _ in seen[: first + 1]} == {1}
    for one, other in zip(alone.reports(), jobs.reports(), strict=True):
        assert one.execution_plan == other.execution_plan
        assert one.checkpoint_digest == other.checkpoint_digest
        assert one.probes == other.probes
    for path in alone.out.rglob("*.npz"):
        there = np.load(jobs.out / path.relative_to(alone.out))
        for name, array in np.load(path).items():
            np.testing.assert_array_equal(array, there[name])


@pytest.mark.long
def test_a_process_that_dies_costs_its_own_checkpoint_only_and_a_later_call_measures_that(
    tmp_path: Path, checkpoints: list[CheckpointDirectory]
) -> None:
    series = a_series(tmp_path / "out")
    dies = {"LCCP_LOG_LEVEL": "UNKNOWN"}
    events = list(Jobs(series, [{}, dies]).events(checkpoints))

    lost = [(one.tokens, event) for one, event in events if isinstance(event, EvaluationFailure)]
    ((tokens, failure),) = lost
    assert failure.message.endswith(f"step-{tokens} ended with exit code 1: read its log")
    assert (series.folder(tokens) / "failure.json").is_file()
    assert [one.tokens for one in series.reports()] == [n for n in (1, 2, 3) if n != tokens]

    list(Jobs(series, PLACES).events([checkpoints[tokens - 1]]))
    assert [one.tokens for one in series.reports()] == [1, 2, 3]


@pytest.mark.long
def test_who_stops_listening_ends_all_processes(
    tmp_path: Path, checkpoints: list[CheckpointDirectory]
) -> None:
    jobs = Jobs(a_series(tmp_path / "out"), PLACES)
    with closing(jobs.events(checkpoints)) as events:
        next(events)
        (job,) = jobs.running
        assert job.process.poll() is None
    assert job.process.poll() is not None


@pytest.mark.long
def test_a_checkpoint_that_is_wrong_is_a_failure_and_the_next_one_is_the_first(
    tmp_path: Path,
) -> None:
    series = a_series(tmp_path / "out")
    wrong = [CheckpointDirectory(tmp_path / name, Trained(n)) for n, name in enumerate("ab", 1)]

    outcomes = [event for _, event in Jobs(series, PLACES).events(wrong)]
    assert [type(one) for one in outcomes] == [EvaluationFailure] * 2
    assert "contains no config.json" in outcomes[0].message


def test_on_a_cpu_there_is_one_place_unless_more_are_asked_for() -> None:
    assert devices_of(None, Execution("cpu")) == [{}]
    assert devices_of(3, Execution("cpu")) == [{}] * 3


def test_each_place_has_its_own_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpus = Execution("cuda", processes=2)
    monkeypatch.setenv(VISIBLE, "4,5,6,7,1")
    assert devices_of(None, on_gpus) == [{VISIBLE: "4,5"}, {VISIBLE: "6,7"}]
    assert devices_of(1, on_gpus) == [{VISIBLE: "4,5"}]
    with pytest.raises(InvalidInput, match=r"^--jobs: 3 checkpoints at a time need 6"):
        devices_of(3, on_gpus)

    monkeypatch.delenv(VISIBLE)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert devices_of(None, Execution("cuda")) == [{VISIBLE: "0"}, {VISIBLE: "1"}]
