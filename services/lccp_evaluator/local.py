"""Evaluate any Hugging Face directory, without a run: `lccp evaluate --model DIR --out DIR`."""

from pathlib import Path

from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.probe import Contexts
from lccp.store import objects
from lccp.store.directory import file_record
from lccp.store.file import FileStore
from lccp_evaluator.evaluation import Progress, Subject, evaluate
from lccp_evaluator.model.loading import context_length
from lccp_evaluator.place import Place


def evaluate_directory(
    model_dir: Path,
    out_dir: Path,
    probes: ProbesSpec,
    source_context: int | None,
    progress: Progress,
) -> EvaluationReport:
    """Write report.json and its arrays to `out_dir`; samples that lie there are reused.

    The band `extension` holds the lengths beyond `source_context` tokens; by default that is the
    model's own context, and all lengths are `guard`.

    Raises:
        InvalidInput: the model, its tokenizer, the settings or the samples in `out_dir` are wrong.
    """
    if not model_dir.is_dir():
        raise InvalidInput(f"{model_dir}: is no folder: give the directory of a Hugging Face model")
    context = context_length(model_dir)
    subject = Subject(
        directory=model_dir,
        checkpoint_digest=_manifest(model_dir, source_context or context, context).digest,
        probes=probes,
        contexts=Contexts(source_context or context, context, context),
    )
    out_dir.mkdir(parents=True, exist_ok=True)
    store = FileStore(out_dir)
    place = Place(store, "", "samples/")
    evaluation = evaluate(subject, place, progress)
    store.delete(place.report)
    place.put(evaluation.files)
    objects.write(store, place.report, evaluation.report)
    return evaluation.report


def _manifest(directory: Path, source: int, target: int) -> Manifest:
    """What a trainer would have written of the files in `directory`."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return Manifest(
        kind="Checkpoint",
        tokens=0,
        step=0,
        writer="",
        files={path.relative_to(directory).as_posix(): file_record(path) for path in paths},
        source_context_length=source,
        target_context_length=target,
    )
