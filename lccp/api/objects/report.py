"""`evaluations/<tokens>/<suite>/…`: an evaluator's measurements at one checkpoint.

`report.json` is small: for every probe the values of its signals, with their means by cluster. A
verdict reads nothing else. Arrays (cells, score maps) and values per sample are beside it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from lccp.api.causes import Cause
from lccp.api.labels import INTRINSIC
from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract
from lccp.contract.scalars import Int64, Time
from lccp.contract.signals import Scale, Signal

Finite = Annotated[float, Field(allow_inf_nan=False)]

PERPLEXITY = "PPL"
ROUNDING = 1e-6
"""Relative error of sums in single precision."""


class SignalValue(Signal):
    """A measured signal with its declaration, so that a report is self-describing."""

    value: Annotated[Finite, Field(description="Its value, in its unit.")]
    n: Annotated[Int64, Field(ge=1, description="Number of samples averaged.")]
    by_cluster: Annotated[
        dict[str, tuple[Finite, ...]],
        Field(description="Values over each cluster, by kind (haystack, needle, document)."),
    ] = {}
    interval: Annotated[
        tuple[Finite, Finite] | None,
        Field(description="95 % interval of the value, if the probe provides one."),
    ] = None

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        ends = {kind: (min(own), max(own)) for kind, own in self.by_cluster.items() if own}
        lowest = min((self.value, *(least for least, _ in ends.values())))
        if self.scale is Scale.LOG and lowest <= 0:
            raise ValueError(f"{self.name} is on a logarithmic scale, so it must be above 0")
        if self.unit == PERPLEXITY and lowest < 1 - ROUNDING:
            raise ValueError(f"{self.name} is a perplexity, so it cannot be {lowest:g}, below 1")
        for kind, (least, most) in ends.items():
            self._lies_within(kind, least, most)
        return self

    def _lies_within(self, kind: str, least: float, most: float) -> None:
        """A mean over all samples is between the means over their clusters."""
        slack = ROUNDING * max(abs(least), abs(most), 1.0)
        if not least - slack <= self.value <= most + slack:
            raise ValueError(
                f"{self.name} is {self.value:g}, but its {kind} means lie between {least:g} and "
                f"{most:g}: they are not from the same samples"
            )


class ObjectReference(Contract):
    """An object stored beside the report."""

    name: Annotated[str, Field(description="Its name, below the report's folder.")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Its SHA-256.")]


class ProbeReport(Contract):
    """The measurements of one probe."""

    version: Annotated[Int64, Field(description="Version of the probe.")]
    settings: Annotated[dict[str, Any], Field(description="Settings, defaults resolved.")]
    samples_digest: Annotated[str, Field(description="SHA-256 of the frozen samples.")] = ""
    signals: Annotated[tuple[SignalValue, ...], Field(description="Values of its signals.")]
    documents: Annotated[
        dict[str, tuple[str, ...]],
        Field(
            description="SHA-256 of the text of every document, by corpus, in the order of the "
            "signals' values over documents: none may be in the training data."
        ),
    ] = {}
    details: Annotated[
        ObjectReference | None, Field(description="Arrays from which figures are drawn.")
    ] = None
    samples: Annotated[ObjectReference | None, Field(description="Values of every sample.")] = None


class EvaluationReport(StoreObject):
    """`report.json`: all that a verdict needs from one checkpoint; written last, put-if-absent."""

    SCHEMA_VERSION: ClassVar[int] = 2

    schema_version: Annotated[Int64, Field(description="Version of this object's schema.")] = 2
    suite: Annotated[str, Field(description="Suite that was evaluated.")] = INTRINSIC
    tokens: Annotated[Int64, Field(ge=0, description="Tokens trained.")]
    step: Annotated[Int64, Field(ge=0, description="Steps of the optimizer.")] = 0
    checkpoint_digest: Annotated[str, Field(description="Digest in the checkpoint's manifest.")]
    source_context_length: Annotated[Int64, Field(description="Context before the extension.")]
    target_context_length: Annotated[Int64, Field(description="Context after the extension.")]
    probes: Annotated[dict[str, ProbeReport], Field(description="What was measured, by probe.")]
    unknown_fields: Annotated[
        tuple[str, ...],
        Field(description="Fields of the run's probes that the evaluator does not know."),
    ] = ()
    execution_plan: Annotated[
        dict[str, Any],
        Field(
            description="Size of a step, dtype, device, attention path; fixed at the first "
            "checkpoint."
        ),
    ] = {}
    notes: Annotated[
        tuple[str, ...],
        Field(description="What a reader should know about this measurement, one sentence each."),
    ] = ()
    versions: Annotated[dict[str, str], Field(description="Versions of the libraries.")] = {}
    timings: Annotated[
        dict[str, float],
        Field(
            description="Seconds, by stage; the only part that may differ between equal "
            "evaluations."
        ),
    ] = {}

    def signals(self) -> Iterator[SignalValue]:
        """The values of all probes' signals."""
        for probe in self.probes.values():
            yield from probe.signals

    def signal(self, name: str) -> SignalValue | None:
        """The value of the signal `name`, if it was measured."""
        return next((signal for signal in self.signals() if signal.name == name), None)


class EvaluationProgress(StoreObject):
    """`progress.json`: the progress of an evaluation."""

    done: Annotated[Int64, Field(description="Samples done.")]
    total: Annotated[Int64, Field(description="All samples.")]
    remaining_seconds: Annotated[float | None, Field(description="Estimate of the time left.")] = (
        None
    )
    at: Annotated[Time, Field(description="When, UTC.")]
    beats: Annotated[
        bool, Field(description="It is written every few seconds, also without progress.")
    ] = False


class EvaluationFailure(StoreObject):
    """`failure.json`: why the last try failed."""

    cause: Annotated[Cause, Field(description="Kind of failure.")]
    message: Annotated[str, Field(description="Where and why, one sentence.")]
    exit_code: Annotated[Int64, Field(description="Exit code of the evaluator.")]
    at: Annotated[Time, Field(description="When, UTC.")]


class FileStamp(Contract):
    """Size and modification time of a file: if either differs, the file may have changed."""

    size: Annotated[Int64, Field(ge=0, description="Bytes.")]
    modified_ns: Annotated[Int64, Field(description="Time of the last change, in ns since 1970.")]


class EvaluationSource(StoreObject):
    """`source.json`: the model that a report of `lccp evaluate` or `lccp watch` is about."""

    directory: Annotated[str, Field(description="Directory of the model.")]
    files: Annotated[dict[str, FileStamp], Field(description="The model's files, by name.")]
    probes: Annotated[dict[str, Any], Field(description="Settings of the probes, as requested.")]
    source_context_length: Annotated[
        Int64 | None, Field(description="Context before the extension, if one was given.")
    ] = None
    context_length: Annotated[
        Int64 | None, Field(description="Context of the model, if one was given.")
    ] = None
