"""Evaluate directories into a folder: a series of checkpoints, of one or more.

The folder is laid out like a run's: `samples/`, and `evaluations/<tokens>/intrinsic/` with report,
arrays and `source.json`, which names the files that the report is of. So a second call resumes
where the first one ended, a rewritten checkpoint is evaluated again, and no report is replaced by
one of another model.
"""

import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lccp.api.objects.report import EvaluationFailure, EvaluationReport, EvaluationSource
from lccp.contract.errors import (
    Conflict,
    Incompatible,
    InvalidInput,
    LccpError,
    StoreUnavailable,
)
from lccp.probes.registry import PROBES
from lccp.store import objects
from lccp.store.file import FileStore
from lccp.store.keys import JOURNAL, SeriesKeys
from lccp.tokenizer import tokenizer_digest
from lccp_evaluator.asked import Asked
from lccp_evaluator.estimate import EvaluationCost, estimate
from lccp_evaluator.evaluation import Announce, evaluate
from lccp_evaluator.failure import failure_of
from lccp_evaluator.model.execution import ExecutionPlan, first_plan
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject, ask, prepare
from lccp_evaluator.progress import Progress
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.files import ModelDigests, are_equal, check_whole, stamps, stamps_or_none
from lccp_evaluator.series.prompts import write_prompts
from lccp_evaluator.series.settings import SeriesSettings, naming_options
from lccp_evaluator.unfinished import clear

logger = logging.getLogger("lccp_evaluator.series")


class EvaluationSeries:
    """The evaluations in the folder `out`, which is created if it is missing.

    Raises:
        InvalidInput: it cannot be created, or is a run's, whose reports are its evaluators'.
    """

    def __init__(self, out: Path, settings: SeriesSettings) -> None:
        if (out / JOURNAL).exists():
            raise InvalidInput(f"{out}: is the folder of a run: give another folder (--out)")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"{out}: can't be created as a folder: {error.strerror}") from None
        self.out, self.settings = out, settings
        self._store, self._keys = FileStore(out), SeriesKeys()
        self._digests = ModelDigests(generates=settings.generates)
        self._samples_checked = False

    def reports(self) -> list[EvaluationReport]:
        """All reports in the folder, by tokens. Raises InvalidInput if one is damaged."""
        return objects.reports(self._store, self._keys)

    def folder(self, tokens: int) -> Path:
        """The folder of the report at `tokens`, and its arrays."""
        return self.out / self._keys.evaluation(tokens)

    def settled(self, tokens: int) -> bool:
        """Never: a report is of weights, so a conversion must first recreate them."""
        return False

    def report(self, checkpoint: CheckpointDirectory) -> EvaluationReport | None:
        """The report of exactly these weights; None if they are to be evaluated.

        The leftovers of an evaluation that was killed after writing its report are deleted.

        Raises:
            InvalidInput: there is a report at these tokens, of a checkpoint from elsewhere.
            Incompatible: it was made with other settings or another tokenizer, or files named by
                the settings changed since.
        """
        found = self._stored(checkpoint)
        self.plan()
        if found is None or not self._is_of(checkpoint, *found):
            return None
        report, source = found
        self.settings.check(source, self.folder(report.tokens))
        self._check_samples(checkpoint)
        clear(self._store, Place.of(self._store, self._keys, report.tokens).unfinished)
        return report

    def check_free(self, checkpoint: CheckpointDirectory) -> None:
        """Raise InvalidInput if the report at its tokens is of a checkpoint from elsewhere."""
        found = self._stored(checkpoint)
        if found is not None:
            self._is_of(checkpoint, *found)

    def _check_samples(self, checkpoint: CheckpointDirectory) -> None:
        """Raise Incompatible, once, unless tokenizer and files are those of the frozen samples."""
        if self._samples_checked or stamps_or_none(checkpoint.path) is None:
            return
        chosen = self.settings.tokenizer or checkpoint.path
        place = Place.of(self._store, self._keys, tokens=0)
        digests = place.digests()
        for name, settings in self.settings.probes.asked().items():
            header, documents = place.header(name), PROBES[name].documents(settings)
            if header is not None:
                if header.tokenizer_digest != tokenizer_digest(chosen):
                    raise Incompatible(
                        f"{self.out}: was measured with another tokenizer than that of {chosen}: "
                        "give another folder (--out) for this one"
                    )
                Files(Path(), digests).check(header, documents, place.samples_of(name))
        place.keep(digests)
        self._samples_checked = True

    def _stored(
        self, checkpoint: CheckpointDirectory
    ) -> tuple[EvaluationReport, EvaluationSource] | None:
        tokens = checkpoint.tokens
        report = objects.read_or_none(self._store, self._keys.report(tokens), EvaluationReport)
        key = self._keys.evaluation_source(tokens)
        source = objects.read_or_none(self._store, key, EvaluationSource)
        return None if report is None or source is None else (report, source)

    def _is_of(
        self,
        checkpoint: CheckpointDirectory,
        report: EvaluationReport,
        source: EvaluationSource,
    ) -> bool:
        directory, now = str(checkpoint.path.resolve()), stamps_or_none(checkpoint.path)
        is_there = source.directory == directory
        if is_there and now is None:  # one that is damaged is to be evaluated, which says so
            return not checkpoint.path.exists()
        if is_there and now and are_equal(now, source.files, self.settings.generates):
            return True
        if now and self._digests.of(checkpoint.path) == report.checkpoint_digest:
            return True
        if not is_there:
            raise InvalidInput(
                f"{self.folder(checkpoint.tokens)}: holds the report of {source.directory}, also "
                f"of {checkpoint.tokens:,} tokens: give {checkpoint.path} its own count (--tokens) "
                "or another folder (--out)"
            )
        return False

    def plan(self) -> ExecutionPlan | None:
        """The first report's plan, adapted by `Execution.onto`. Raises Incompatible."""
        plan = first_plan(self.reports())
        return plan and self.settings.execution.onto(plan, str(self.out))

    def estimate(
        self, checkpoint: CheckpointDirectory, trial_seconds: float | None
    ) -> EvaluationCost:
        """The cost of measuring a checkpoint (see `estimate`); nothing is kept.

        Raises InvalidInput where the evaluation would.
        """
        check_whole(checkpoint.path)
        subject = self._subject(checkpoint, digest="")
        with prepare(subject, self._asked(subject)) as prepared:
            return estimate(prepared, trial_seconds)

    def prompts(self, checkpoint: CheckpointDirectory, path: Path) -> int:
        """Write a checkpoint's prompts as text (see `write_prompts`); return the number of samples.

        Raises InvalidInput where the evaluation would, or if `path` can't be written.
        """
        subject = self._subject(checkpoint, digest="")
        tokenizer = Tokenizer(subject.tokenizer or subject.directory, subject.trust_remote_code)
        return write_prompts(self._asked(subject), tokenizer, path)

    def _asked(self, subject: Subject) -> list[Asked]:
        """The samples that the checkpoint would answer; nothing is kept."""
        with naming_options(), TemporaryDirectory(prefix="lccp-") as scratch:
            place = Place.of(FileStore(Path(scratch)), self._keys, subject.tokens)
            asked = ask(subject, place, chooses=False)
        known = Place.of(self._store, self._keys, subject.tokens).header
        return [replace(one, unchosen=()) if known(one.probe) else one for one in asked]

    def evaluate(
        self,
        checkpoint: CheckpointDirectory,
        progress: Progress,
        announce: Announce | None = None,
    ) -> EvaluationReport | EvaluationFailure:
        """Measure a checkpoint; write its report in place of an older one, or return its failure.

        Raises:
            Conflict: its files changed meanwhile; nothing was written.
            StoreUnavailable: the folder of reports can't be written, such as on a full disk.
        """
        try:
            with naming_options():
                return self._measured(checkpoint, progress, announce)
        except (Conflict, StoreUnavailable):
            raise
        except Exception as error:
            return self.failed(checkpoint, error)

    def failed(self, checkpoint: CheckpointDirectory, error: Exception) -> EvaluationFailure:
        """Record and return that `error` ended the evaluation of a checkpoint."""
        failure = failure_of(error)
        logger.debug("%s", failure.message, exc_info=not isinstance(error, LccpError))
        objects.write(self._store, self._keys.evaluation_failure(checkpoint.tokens), failure)
        return failure

    def _measured(
        self, checkpoint: CheckpointDirectory, progress: Progress, announce: Announce | None
    ) -> EvaluationReport:
        path, before = checkpoint.path, stamps(checkpoint.path)
        check_whole(path)
        subject = self._subject(checkpoint, self._digests.of(path))
        place = Place.of(self._store, self._keys, checkpoint.tokens)
        evaluation = evaluate(subject, place, progress, announce)
        if stamps_or_none(path) != before:
            raise Conflict(f"{path}: was changed while it was evaluated")
        self.check_free(checkpoint)  # another process may have written its report meanwhile
        self._store.delete(place.report)
        place.put(evaluation.files)
        source = self.settings.source(path, before)
        objects.write(self._store, self._keys.evaluation_source(checkpoint.tokens), source)
        self._store.delete(self._keys.evaluation_failure(checkpoint.tokens))
        objects.write(self._store, place.report, evaluation.report)
        evaluation.unfinished.clear()
        return evaluation.report

    def _subject(self, checkpoint: CheckpointDirectory, digest: str) -> Subject:
        """The checkpoint, and how to measure it. Raises InvalidInput."""
        asked, path = self.settings, checkpoint.path
        return Subject(
            directory=path,
            checkpoint_digest=digest,
            probes=asked.probes,
            contexts=asked.contexts(path),
            tokens=checkpoint.tokens,
            step=checkpoint.trained.step,
            trust_remote_code=asked.trust_remote_code,
            plan=self.plan(),
            execution=asked.execution,
            tokenizer=asked.tokenizer,
        )
