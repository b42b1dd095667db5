"""One checkpoint is evaluated: samples, passes, probes, report."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from measured import few
from reports import packed
from tiny_checkpoints import a_checkpoint
from tiny_models import a_model

from lccp.api.objects.report import SignalValue
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.probes.probe import Contexts
from lccp.store.file import FileStore
from lccp_evaluator.evaluation import EvaluationFiles, evaluate
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.passes.step import Step
from lccp_evaluator.passes.ways import Choice
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject
from lccp_evaluator.progress import Done
from lccp_evaluator.spread import shards
from lccp_evaluator.spread.process import Process, ProcessLost

pytestmark = pytest.mark.slow

CONTEXTS = Contexts(256, 384, 512)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_checkpoint(tmp_path_factory.mktemp("model"))


def a_subject(directory: Path, **more: Any) -> Subject:
    plan = Execution(device="cpu", step_tokens=256)
    return Subject(directory, "f" * 64, few(), CONTEXTS, **({"execution": plan} | more))


def a_place(folder: Path) -> Place:
    return Place(FileStore(folder), "evaluations/", "samples/")


def ignored(done: Done) -> None:
    """Show nothing."""


def test_equal_arrays_give_equal_bytes() -> None:
    arrays = {"nll": np.arange(3.0), "name": np.array(["a", "bc"])}
    data = packed(arrays)

    assert data == packed({name: array.copy() for name, array in arrays.items()})
    with np.load(io.BytesIO(data), allow_pickle=False) as read:
        assert read["name"].tolist() == ["a", "bc"]


def test_a_report_names_its_files_and_how_it_was_made(directory: Path, tmp_path: Path) -> None:
    told: list[Done] = []
    subject = a_subject(directory, tokens=8_192, step=2)

    made = evaluate(subject, a_place(tmp_path), told.append)

    report = made.report
    assert (report.tokens, report.step, report.checkpoint_digest) == (8_192, 2, "f" * 64)
    assert (report.source_context_length, report.target_context_length) == (256, 384)
    (probe,) = report.probes.values()
    for reference in (probe.details, probe.samples):
        assert reference is not None
        assert hashlib.sha256(made.files[reference.name]).hexdigest() == reference.sha256
    assert (report.execution_plan["way"], report.execution_plan["stepTokens"]) == ("Forked", 256)
    assert set(report.timings) == {"samples", "load", "measure", "aggregate"}
    assert told[0].samples == 0
    assert told[-1].samples == told[-1].total > 0


@pytest.fixture(scope="module")
def asked(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluationFiles:
    """What is measured if passes of 64 tokens are asked for."""
    small = a_subject(directory, execution=Execution(device="cpu", step_tokens=64))
    return evaluate(small, a_place(tmp_path_factory.mktemp("asked")), ignored)


def signals(made: EvaluationFiles) -> tuple[SignalValue, ...]:
    return made.report.probes["niah"].signals


def memory_is_enough_for_100_tokens(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    inputs = Step.inputs

    def of_a_small_device(step: Step, device: torch.device) -> Any:
        if sum(piece.stop - piece.start for piece in step.pieces) > 100:
            raise error
        return inputs(step, device)

    monkeypatch.setattr(Step, "inputs", of_a_small_device)


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_passes_are_halved_until_memory_is_enough(
    error: type[Exception],
    directory: Path,
    asked: EvaluationFiles,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory_is_enough_for_100_tokens(monkeypatch, error)
    halved = evaluate(a_subject(directory), a_place(tmp_path), ignored)
    assert halved.report.execution_plan == asked.report.execution_plan
    assert halved.report.execution_plan["stepTokens"] == 64
    assert halved.files == asked.files


def test_prompts_that_take_one_pass_end_in_a_sentence_where_memory_is_short(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Choice("Whole", "its layers mix tokens")
    monkeypatch.setattr("lccp_evaluator.preparation.choose", lambda *_: whole)
    memory_is_enough_for_100_tokens(monkeypatch, torch.OutOfMemoryError)

    with pytest.raises(
        MemoryError, match=r"for a prompt of \d+ tokens, which is read in one pass \(its layers mix"
    ):
        evaluate(a_subject(directory), a_place(tmp_path), ignored)


def test_whole_prompts_are_read_in_steps_by_the_models_own_cache_where_memory_is_short(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resuming = Choice("Native", "its attention is its own", resumes=True)
    for name in ("whole", "cut", "later", "after"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr("lccp_evaluator.preparation.choose", lambda *_: resuming)
    whole = evaluate(a_subject(directory), a_place(tmp_path / "whole"), ignored)
    memory_is_enough_for_100_tokens(monkeypatch, torch.OutOfMemoryError)

    cut = evaluate(a_subject(directory), a_place(tmp_path / "cut"), ignored)
    plan = ExecutionPlan.parse(cut.report.execution_plan, "plan")
    assert (whole.report.execution_plan["way"], plan.way) == ("Native", "Cached")
    assert 50 < plan.step_tokens <= 100
    values, expected = ([one.value for one in signals(report)] for report in (cut, whole))
    assert values == pytest.approx(expected, rel=1e-4)
    later = a_subject(directory, plan=plan)
    assert evaluate(later, a_place(tmp_path / "later"), ignored).files == cut.files
    fixed = ExecutionPlan.parse(whole.report.execution_plan, "plan")
    after = a_subject(directory, plan=fixed)
    with pytest.raises(MemoryError, match=r"is read in one pass \(its attention is its own\)"):
        evaluate(after, a_place(tmp_path / "after"), ignored)


@pytest.mark.long
@pytest.mark.parametrize("parts", [1, 2])
def test_two_processes_measure_what_one_does(directory: Path, tmp_path: Path, parts: int) -> None:
    for name in ("alone", "shared"):
        (tmp_path / name).mkdir()
    alone = evaluate(a_subject(directory), a_place(tmp_path / "alone"), ignored)
    told: list[Done] = []
    execution = Execution(device="cpu", step_tokens=256, processes=2, shards=parts)

    shared = evaluate(
        a_subject(directory, execution=execution), a_place(tmp_path / "shared"), told.append
    )

    assert told[-1].samples == told[-1].total
    assert shared.report.execution_plan["shards"] == parts
    assert shared.report.probes.keys() == alone.report.probes.keys()
    for name, data in alone.files.items():
        with np.load(io.BytesIO(data)) as one, np.load(io.BytesIO(shared.files[name])) as two:
            assert set(one.files) == set(two.files)
            for array in set(one.files):
                if one[array].dtype.kind == "f":
                    np.testing.assert_allclose(two[array], one[array], atol=1e-5)
                else:
                    assert (two[array] == one[array]).all()


@pytest.mark.long
def test_what_was_read_before_a_shard_died_is_not_read_again(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders: list[Process] = []

    def noted(*given: Any) -> Process:
        holders.append(Process(*given))
        return holders[-1]

    def dying(done: Done) -> None:
        if done.samples:
            holders[0].process.kill()

    monkeypatch.setattr(shards, "Process", noted)
    execution = Execution(device="cpu", step_tokens=256, processes=2, shards=2)
    subject, place = a_subject(directory, execution=execution), a_place(tmp_path)
    with pytest.raises(ProcessLost, match=r"shard 1 .* was killed"):
        evaluate(subject, place, dying)
    told: list[Done] = []

    evaluate(subject, place, told.append)

    assert 0 < told[0].samples < told[-1].samples == told[-1].total


def test_processes_that_do_not_come_out_even_are_refused(directory: Path, tmp_path: Path) -> None:
    execution = Execution("cpu", processes=3, shards=2)

    with pytest.raises(InvalidInput, match=r"3 can't share models of 2 shards each: take 2, or"):
        evaluate(a_subject(directory, execution=execution), a_place(tmp_path), ignored)


def test_a_second_checkpoint_is_measured_on_the_same_samples(
    directory: Path, tmp_path: Path
) -> None:
    place = a_place(tmp_path)
    first = evaluate(a_subject(directory), place, ignored)
    again = evaluate(a_subject(directory), place, ignored)

    assert len(place.store.list("samples/niah/")) == 1
    assert again.files == first.files


def test_another_way_than_that_of_the_first_checkpoint_is_refused(
    directory: Path, tmp_path: Path
) -> None:
    plan = ExecutionPlan(device="cpu", dtype="float32", threads=1, step_tokens=256, way="Native")

    with pytest.raises(Incompatible, match="allows the way Forked, but the run's first checkpoint"):
        evaluate(a_subject(directory, plan=plan), a_place(tmp_path), ignored)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(tmp_path: Path) -> None:
    directory = a_checkpoint(tmp_path / "model")
    small = a_model("hunyuan_v1_moe", moe_topk=1)
    small.save_pretrained(directory)

    with pytest.raises(InvalidInput, match="has embeddings for 97 tokens, but its tokenizer has"):
        evaluate(a_subject(directory), a_place(tmp_path), ignored)
