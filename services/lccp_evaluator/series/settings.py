"""How all checkpoints of a series are measured."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lccp.api.objects.report import EvaluationSource, FileStamp
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import Incompatible, InvalidInput
from lccp.probes.probe import Contexts
from lccp_evaluator.model.execution import AS_SUITS, Execution
from lccp_evaluator.model.loading import context_length
from lccp_evaluator.probes import HALVES

PROBES_FIELD = "evaluation.probes."
OPTIONS = {
    "evaluation.probes.niah.lengths": "--lengths",
    "evaluation.probes.niah.depthsPercent": "--depths",
    "evaluation.probes.niah.haystacks": "--haystacks",
    "evaluation.probes.niah.haystack": "--haystack",
    "evaluation.probes.niah.needles": "--needles",
    "evaluation.probes.niah.needlesPerHaystack": "--needles-per-haystack",
    "model.targetContextLength": "--context",
}
"""By field, the option that sets it."""


@contextmanager
def naming_options() -> Iterator[None]:
    """Add to a refusal that names fields of the probes which options set them."""
    try:
        yield
    except Incompatible:
        raise  # it is about the samples in the folder, not about a setting
    except InvalidInput as error:
        if PROBES_FIELD not in str(error):
            raise
        named = [option for field, option in OPTIONS.items() if _names(str(error), field)]
        raise type(error)(f"{error} (set with {', '.join([*named, '--probes'])})") from None


def _names(text: str, field: str) -> bool:
    """Whether `text` names the field, or one within it."""
    return re.search(rf"{re.escape(field)}\b", text) is not None


@dataclass(frozen=True)
class SeriesSettings:
    """How all checkpoints of a series are measured."""

    probes: ProbesSpec
    source_context: int | None = None
    """Source context length; None: each model's own, so that no length is beyond it."""
    context: int | None = None
    """Context length of the models; None: what their configurations say."""
    tokenizer: Path | None = None
    """Directory of the tokenizer, if checkpoints hold none."""
    trust_remote_code: bool = False
    execution: Execution = AS_SUITS

    @property
    def generates(self) -> bool:
        """Whether a model is to answer in its own words."""
        return any(HALVES[name].generates for name in self.probes.asked())

    def contexts(self, directory: Path) -> Contexts:
        """The contexts of the model in `directory`. Raises InvalidInput."""
        context = self.context or context_length(directory, self.trust_remote_code)
        if self.source_context is not None and self.source_context > context:
            raise InvalidInput(
                f"--source-context: {self.source_context:,} tokens lie beyond the context of "
                f"{directory}, {context:,}: give the context length that it had before the "
                "extension"
            )
        return Contexts(self.source_context or context, context, context)

    def source(self, directory: Path, files: dict[str, FileStamp]) -> EvaluationSource:
        """The record of what a report of the model in `directory`, with `files`, is of."""
        return EvaluationSource(
            directory=str(directory.resolve()),
            files=files,
            probes=self.probes.document(),
            source_context_length=self.source_context,
            context_length=self.context,
        )

    def check(self, source: EvaluationSource, folder: Path) -> None:
        """Raise Incompatible unless the report in `folder`, of `source`, was measured so."""
        asked = {
            "other settings of the probes": (source.probes, self.probes.document()),
            "another --source-context": (source.source_context_length, self.source_context),
            "another --context": (source.context_length, self.context),
        }
        for what, (used, wanted) in asked.items():
            if used != wanted:
                raise Incompatible(
                    f"{folder}: was measured with {what}: give another folder (--out) for these"
                )
