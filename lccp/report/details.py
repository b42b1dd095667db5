"""Arrays beside the reports, read when they are drawn, and signals derived from several of them."""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput, NotFound
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES

Fetch = Callable[[EvaluationReport, str], bytes]
"""Reads the object of that name beside a report. Raises NotFound."""
Damaged = Callable[[EvaluationReport, str], object]
"""Is told of an object beside a report that is gone, or not as it was measured."""

Compared = Mapping[str, Mapping[int, float]]
"""Values by signal and tokens."""


@dataclass(frozen=True)
class CheckpointDetails:
    """A probe's details of the checkpoint at `tokens`."""

    tokens: int
    version: int
    """Of the probe."""
    settings: Mapping[str, Any]
    details: Details


def nothing_beside(report: EvaluationReport, name: str) -> bytes:
    """For reports with nothing beside them."""
    raise NotFound(f"report at {report.tokens:,} tokens: there is no {name} beside it")


def untold(_report: EvaluationReport, _name: str) -> None:
    """Where nobody asks what is damaged."""


def details_of(
    report: EvaluationReport, probe: str, fetch: Fetch, damaged: Damaged = untold
) -> Details | None:
    """The details of `probe` in `report`; None without any, or if they are gone or `damaged`."""
    part = report.probes.get(probe)
    if part is None or part.details is None:
        return None
    try:
        found = unpacked(fetch(report, part.details.name), part.details.sha256)
    except NotFound:
        found = None
    if found is None and fetch is not nothing_beside:
        damaged(report, part.details.name)
    return found


def unpacked(data: bytes, sha256: str, names: Collection[str] | None = None) -> Details | None:
    """The arrays in `data`, or those in `names`; None if the digest differs or it holds none."""
    if hashlib.sha256(data).hexdigest() != sha256:
        return None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays if names is None or name in names}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        return None


def compared(
    reports: Sequence[EvaluationReport], fetch: Fetch, damaged: Damaged = untold
) -> dict[str, dict[int, float]]:
    """Signals that compare checkpoints, of all probes, from the details of `reports` in order."""

    def parts(name: str) -> list[CheckpointDetails]:
        found = ((report, details_of(report, name, fetch, damaged)) for report in reports)
        return [
            CheckpointDetails(r.tokens, r.probes[name].version, r.probes[name].settings, d)
            for r, d in found
            if d is not None
        ]

    return between(parts)


def between(parts: Callable[[str], Sequence[CheckpointDetails]]) -> dict[str, dict[int, float]]:
    """Signals that compare checkpoints, of all probes; `parts` gives a probe's parts, by name.

    Of parts that were made in several ways, only the most frequent one counts, and among equally
    frequent ones the oldest, as in `Trajectory`.
    """
    found: dict[str, dict[int, float]] = {}
    for name, probe in PROBES.items():
        if probe.comparison is None or not (measured := _alike(parts(name))):
            continue
        try:
            settings = probe.settings.parse(measured[0].settings, name)
        except InvalidInput:
            continue
        values = probe.comparison.values(settings, [part.details for part in measured])
        for signal, by_checkpoint in values.items():
            pairs = zip(measured, by_checkpoint, strict=True)
            found[signal] = {part.tokens: value for part, value in pairs if value is not None}
    return found


def _alike(parts: Sequence[CheckpointDetails]) -> list[CheckpointDetails]:
    """Those of the most frequent version and settings."""
    made = [f"{part.version}, {sorted(part.settings.items())}" for part in parts]
    usual = max(made, key=Counter(made).__getitem__, default="")
    return [part for part, own in zip(parts, made, strict=True) if own == usual]
