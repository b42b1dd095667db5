import json
import os
import re
import shutil
from pathlib import Path

import pytest
from measured import few
from tiny_checkpoints import a_checkpoint, a_tokenizer

from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import Conflict, Incompatible, InvalidInput, StoreUnavailable
from lccp.store.file import FileStore
from lccp_evaluator.model.execution import Execution
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained

pytestmark = pytest.mark.slow

OFF = {"enabled": False}


def no_progress(_done: Done) -> None:
    pass


def a_series(out: Path, source_context: int | None = None, **niah: int) -> EvaluationSeries:
    return EvaluationSeries(out, SeriesSettings(few(**niah), source_context))


def at(path: Path, tokens: int) -> CheckpointDirectory:
    return CheckpointDirectory(path, Trained(tokens, step=tokens // 100))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint at 100 tokens, `first`, and with its reports, `out`."""
    folder = tmp_path_factory.mktemp("evaluated")
    checkpoint = at(a_checkpoint(folder / "first"), 100)
    assert isinstance(a_series(folder / "out").evaluate(checkpoint, no_progress), EvaluationReport)
    return folder


@pytest.fixture
def copied(evaluated: Path, tmp_path: Path) -> CheckpointDirectory:
    """A copy of the checkpoint, beside a copy of the reports."""
    shutil.copytree(evaluated, tmp_path, dirs_exist_ok=True)
    return at(tmp_path / "first", 100)


@pytest.fixture
def first(tmp_path: Path, out: Path) -> CheckpointDirectory:
    """A checkpoint at 100 tokens, evaluated where it lies."""
    checkpoint = at(a_checkpoint(tmp_path / "first"), 100)
    assert isinstance(a_series(out).evaluate(checkpoint, no_progress), EvaluationReport)
    return checkpoint


def test_checkpoints_answer_the_same_samples_by_the_same_plan(
    tmp_path: Path, out: Path, copied: CheckpointDirectory
) -> None:
    a_series(out).evaluate(at(a_checkpoint(tmp_path / "b", seed=1), 200), no_progress)

    one, other = a_series(out).reports()
    assert [(r.tokens, r.step) for r in (one, other)] == [(100, 1), (200, 2)]
    assert one.probes["niah"].samples_digest == other.probes["niah"].samples_digest
    assert one.execution_plan == other.execution_plan
    assert one.checkpoint_digest != other.checkpoint_digest


def test_a_later_call_takes_the_report_that_lies_there(
    tmp_path: Path, out: Path, first: CheckpointDirectory
) -> None:
    assert a_series(out).report(first) == a_series(out).reports()[0]
    moved = tmp_path / "moved"
    shutil.copytree(first.path, moved)
    assert a_series(out).report(at(moved, 100)) is not None
    shutil.rmtree(first.path)
    assert a_series(out).report(first) is not None


def test_a_file_that_only_matters_for_generating_reads_no_weights_again(
    out: Path, first: CheckpointDirectory
) -> None:
    """Reports of earlier releases do not name it; of a bucket's weights only sizes are at hand."""
    weights = first.path / "model.safetensors"
    status = weights.stat()
    weights.write_bytes(bytes(status.st_size))
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    (first.path / "generation_config.json").write_text("{}")

    assert a_series(out).report(first) is not None


def test_what_was_left_beside_a_report_is_deleted(out: Path, copied: CheckpointDirectory) -> None:
    folder = a_series(out).folder(100)
    left = folder / "unfinished-0123-0.npz"
    left.write_bytes(b"cut off")

    assert a_series(out).report(copied) is not None
    assert not left.exists()
    assert (folder / "report.json").exists()


def test_another_model_replaces_no_report_in_silence(
    tmp_path: Path, out: Path, copied: CheckpointDirectory
) -> None:
    other = at(a_checkpoint(tmp_path / "other", seed=1), 100)

    with pytest.raises(InvalidInput, match=r"first, also of 100 tokens: give .*other its own"):
        a_series(out).report(other)
    with pytest.raises(InvalidInput, match="also of 100 tokens"):
        a_series(out).check_free(other)
    a_series(out, seed=1).check_free(copied)
    assert a_series(out).report(copied) is not None


def test_a_report_that_came_while_another_model_was_measured_stays(
    tmp_path: Path, out: Path
) -> None:
    slow, fast = (at(a_checkpoint(tmp_path / n, seed=ord(n)), 100) for n in "ab")

    def meanwhile(_done: Done) -> None:
        if not a_series(out).reports():
            a_series(out).evaluate(fast, no_progress)

    result = a_series(out).evaluate(slow, meanwhile)

    assert isinstance(result, EvaluationFailure)
    assert f"holds the report of {fast.path}, also of 100 tokens: give" in result.message
    assert a_series(out).report(fast) is not None


def test_a_rewritten_checkpoint_is_evaluated_again(out: Path, first: CheckpointDirectory) -> None:
    (before,) = a_series(out).reports()
    a_checkpoint(first.path, seed=1)

    assert a_series(out).report(first) is None
    a_series(out).evaluate(first, no_progress)
    (after,) = a_series(out).reports()
    assert after.checkpoint_digest != before.checkpoint_digest
    assert a_series(out).report(first) == after


def test_a_checkpoint_that_was_damaged_since_is_not_taken_for_the_one_that_was_measured(
    out: Path, first: CheckpointDirectory
) -> None:
    (first.path / "config.json").write_text("{")

    assert a_series(out).report(first) is None
    failure = a_series(out).evaluate(first, no_progress)
    assert isinstance(failure, EvaluationFailure)
    assert "config.json" in failure.message


def test_a_checkpoint_that_was_deleted_since_keeps_its_report(
    out: Path, first: CheckpointDirectory
) -> None:
    (report,) = a_series(out).reports()
    shutil.rmtree(first.path)

    assert a_series(out).report(first) == report


def test_a_digest_is_computed_once_as_long_as_the_files_stay(
    out: Path, first: CheckpointDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = []
    monkeypatch.setattr(
        "lccp_evaluator.series.files.digest", lambda path, *_: computed.append(path) or "another"
    )
    a_checkpoint(first.path, seed=1)
    series = a_series(out)
    assert [series.report(first) for _ in range(3)] == [None] * 3
    assert len(computed) == 1
    a_checkpoint(first.path, seed=2)
    assert series.report(first) is None
    assert len(computed) == 2


def test_other_settings_need_another_folder(out: Path, copied: CheckpointDirectory) -> None:
    with pytest.raises(Incompatible, match="other settings of the probes"):
        a_series(out, seed=1).report(copied)
    with pytest.raises(Incompatible, match="another --source-context"):
        a_series(out, source_context=256).report(copied)
    for changed, sentence in (
        ({"context": 512}, "another --context"),
        ({"execution": Execution(dtype="bfloat16")}, "--dtype: the first checkpoint in .*float32"),
    ):
        with pytest.raises(Incompatible, match=sentence):
            EvaluationSeries(out, SeriesSettings(few(), **changed)).report(copied)


def test_another_tokenizer_needs_another_folder(
    tmp_path: Path, out: Path, copied: CheckpointDirectory
) -> None:
    other = tmp_path / "tokenizer"
    a_tokenizer("words").save_pretrained(other)
    with pytest.raises(Incompatible, match="with another tokenizer than that of"):
        EvaluationSeries(out, SeriesSettings(few(), tokenizer=other)).report(copied)
    assert (
        EvaluationSeries(out, SeriesSettings(few(), tokenizer=copied.path)).report(copied)
        is not None
    )


def test_a_checkpoint_that_changes_while_it_is_measured_leaves_no_report(
    tmp_path: Path, out: Path
) -> None:
    checkpoint = at(a_checkpoint(tmp_path / "model"), 100)

    def rewrite(done: Done) -> None:
        if done.samples == done.total:
            (checkpoint.path / "config.json").touch()

    with pytest.raises(Conflict, match="was changed while it was evaluated"):
        a_series(out).evaluate(checkpoint, rewrite)
    assert a_series(out).reports() == []


def test_a_failure_is_recorded_until_a_later_try_succeeds(tmp_path: Path, out: Path) -> None:
    checkpoint = at(a_checkpoint(tmp_path / "model"), 100)
    weights = checkpoint.path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:5_000])

    failure = a_series(out).evaluate(checkpoint, no_progress)
    path = a_series(out).folder(100) / "failure.json"
    assert isinstance(failure, EvaluationFailure)
    assert f"{weights}: is cut short or damaged" in failure.message
    assert EvaluationFailure.from_json(path.read_bytes(), "failure.json") == failure
    weights.write_bytes(whole)
    assert isinstance(a_series(out).evaluate(checkpoint, no_progress), EvaluationReport)
    assert not path.exists()


def test_a_full_disk_is_no_failure_of_the_checkpoint(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_store: FileStore, key: str, _data: bytes) -> str:
        raise StoreUnavailable(f"{key}: No space left on device")

    series = a_series(out)
    monkeypatch.setattr(FileStore, "put", full)
    with pytest.raises(StoreUnavailable, match=r"unfinished-\w+-0.npz: No space left"):
        series.evaluate(at(a_checkpoint(tmp_path / "model"), 100), no_progress)


def test_running_out_of_memory_is_a_failure_in_words(tmp_path: Path, out: Path) -> None:
    def without_memory(_done: Done) -> None:
        raise MemoryError

    failure = a_series(out).evaluate(at(a_checkpoint(tmp_path / "model"), 100), without_memory)
    assert isinstance(failure, EvaluationFailure)
    assert failure.cause == "OutOfMemory"
    assert failure.message == (
        "not enough memory for a prompt of 300 tokens, which is read in passes of 64: give shorter "
        "lengths, or a device with more memory"
    )


def test_a_file_cannot_be_the_folder_of_reports(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")

    with pytest.raises(InvalidInput, match=r"out: can't be created as a folder"):
        a_series(tmp_path / "out")


def test_the_folder_of_a_run_takes_no_other_reports(out: Path) -> None:
    out.mkdir()
    (out / "journal.json").touch()
    with pytest.raises(InvalidInput, match=rf"^{out}: is the folder of a run: give another"):
        a_series(out)
    assert [path.name for path in out.iterdir()] == ["journal.json"]


def test_a_source_context_beyond_the_models_own_is_refused(tmp_path: Path, out: Path) -> None:
    checkpoint = at(a_checkpoint(tmp_path / "model"), 100)

    failure = a_series(out, source_context=513).evaluate(checkpoint, no_progress)
    assert isinstance(failure, EvaluationFailure)
    assert "--source-context: 513 tokens lie beyond the context of" in failure.message
    assert a_series(out).reports() == []


def asked_in(path: Path, *answers: str) -> Path:
    lines = [{"context": f"It is {one}.", "question": "What?", "answer": one} for one in answers]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_a_file_that_changed_since_its_samples_were_drawn_is_told(tmp_path: Path) -> None:
    path = asked_in(tmp_path / "questions.jsonl", "red", "blue")
    probes = ProbesSpec.parse(
        {"niah": OFF, "bio": OFF, "retrievalHeads": OFF, "targetPpl": {"path": str(path)}}, "probes"
    )

    def series() -> EvaluationSeries:
        return EvaluationSeries(tmp_path / "out", SeriesSettings(probes))

    one = at(a_checkpoint(tmp_path / "one"), 100)
    other = at(a_checkpoint(tmp_path / "other", seed=1), 200)
    assert isinstance(series().evaluate(one, no_progress), EvaluationReport)
    asked_in(path, "red", "green")

    sentence = r"targetPpl.path: .*questions.jsonl is not what the samples in .*out/samples/target"
    with pytest.raises(Incompatible, match=sentence):
        series().report(one)
    failure = series().evaluate(other, no_progress)
    assert isinstance(failure, EvaluationFailure)
    assert re.search(sentence, failure.message)
    path.unlink()
    assert series().report(one) is not None
