"""`signals.json`: the measurements of an external suite's program, and their report."""

import json
from typing import Annotated, Any

from pydantic import Field, StrictInt

from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationReport, Finite, ProbeReport, SignalValue
from lccp.api.spec.evaluation import ExternalSuite, PartName
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Better, Role, Scale

NORMAL_95 = 1.959964
"""Quantile of the normal distribution: half a 95 % interval, in standard errors."""
SIZE_MAX = 4 * 2**20


class MeasuredSignal(Contract):
    """One signal, as the program wrote it."""

    name: Annotated[PartName, Field(description="Its name within the suite.")]
    value: Annotated[Finite, Field(description="Its value, in its unit.")]
    n: Annotated[StrictInt, Field(ge=1, description="Number of samples averaged.")]
    better: Annotated[Better, Field(description="Which way is better.")] = Better.HIGHER
    scale: Annotated[Scale, Field(description="Scale of its gains.")] = Scale.LINEAR
    role: Annotated[Role, Field(description="Its role in a verdict.")] = Role.SHOWN
    title: Annotated[str | None, Field(max_length=63, description="Its name in tables.")] = None
    unit: Annotated[str, Field(max_length=31, description="Unit of its value.")] = ""
    standard_error: Annotated[
        Finite | None, Field(ge=0, description="Standard error of its value.")
    ] = None
    by_cluster: Annotated[
        dict[str, tuple[Finite, ...]],
        Field(description="Value over each cluster of samples, by kind of cluster."),
    ] = {}


class SuiteSignals(Contract):
    """`signals.json`."""

    signals: Annotated[
        tuple[MeasuredSignal, ...], Field(min_length=1, max_length=64, description="The signals.")
    ]
    samples_digest: Annotated[
        str, Field(max_length=128, description="Digest of the samples: others can't be compared.")
    ] = ""
    settings: Annotated[
        dict[str, Any], Field(description="Its settings; others can't be compared.")
    ] = {}
    versions: Annotated[dict[str, str], Field(description="Versions of its libraries.")] = {}
    notes: Annotated[
        tuple[str, ...], Field(max_length=16, description="What to know about it.")
    ] = ()


def read_signals(data: bytes, suite: ExternalSuite) -> SuiteSignals:
    """The signals in `data`, including all that the suite must write.

    Raises InvalidInput if it is not JSON, contains a value that is not a number, or lacks a signal.
    """
    where = f"suite {suite.name}: its signals file"
    if len(data) > SIZE_MAX:
        raise InvalidInput(f"{where} has {len(data):,} bytes: at most {SIZE_MAX:,} are read")

    def refuse(constant: str) -> None:
        raise InvalidInput(
            f"{where} contains {constant}, which is not a number: leave the signal out"
        )

    try:
        document = json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{where} is not JSON: {error}") from None
    found = SuiteSignals.parse(document, where)
    names = [signal.name for signal in found.signals]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{where} contains the signal {name} twice")
    for name in suite.signals:
        if name not in names:
            raise InvalidInput(
                f"{where} lacks the signal {name}, which evaluation.suites says it holds: it has "
                f"{', '.join(names)}"
            )
    return found


def report_of(found: SuiteSignals, suite: ExternalSuite, manifest: Manifest) -> EvaluationReport:
    """The report of the checkpoint of `manifest`. Raises InvalidInput for an impossible value."""
    settings = {"command": list(suite.command), "image": suite.image} | found.settings
    values = tuple(_value(signal, suite) for signal in found.signals)
    probe = ProbeReport(
        version=1, settings=settings, samples_digest=found.samples_digest, signals=values
    )
    return EvaluationReport(
        suite=suite.name,
        tokens=manifest.tokens,
        step=manifest.step,
        checkpoint_digest=manifest.digest,
        source_context_length=manifest.source_context_length,
        target_context_length=manifest.target_context_length,
        probes={suite.name: probe},
        notes=found.notes,
        versions=found.versions,
    )


def _value(signal: MeasuredSignal, suite: ExternalSuite) -> SignalValue:
    half = None if signal.standard_error is None else NORMAL_95 * signal.standard_error
    written = signal.document()
    written.pop("standardError", None)
    own = {"name": f"{suite.prefix}{signal.name}", "title": signal.title or signal.name}
    ends = None if half is None else (signal.value - half, signal.value + half)
    return SignalValue.parse(written | own | {"interval": ends}, f"suite {suite.name}")
