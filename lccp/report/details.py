"""Arrays beside the reports: read when they are drawn, and what follows from several of them."""

import hashlib
import io
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import InvalidInput, NotFound
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES

Fetch = Callable[[EvaluationReport, str], bytes]
"""Reads the object of that name beside a report. Raises NotFound."""

Compared = Mapping[str, Mapping[int, float]]
"""Values by signal and tokens."""


def nothing_beside(report: EvaluationReport, name: str) -> bytes:
    """For reports that nothing lies beside."""
    raise NotFound(f"report at {report.tokens:,} tokens: there is no {name} beside it")


def details_of(report: EvaluationReport, probe: str, fetch: Fetch) -> Details | None:
    """The details of `probe` in `report`; None if they are missing or are not what it says."""
    part = report.probes.get(probe)
    if part is None or part.details is None:
        return None
    try:
        data = fetch(report, part.details.name)
    except NotFound:
        return None
    return unpacked(data, part.details.sha256)


def unpacked(data: bytes, sha256: str, names: Collection[str] | None = None) -> Details | None:
    """The arrays in `data`, or those of `names`; None if it has another digest, or holds none."""
    if hashlib.sha256(data).hexdigest() != sha256:
        return None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays if names is None or name in names}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile):
        return None


def compared(reports: Sequence[EvaluationReport], fetch: Fetch) -> dict[str, dict[int, float]]:
    """Signals that compare checkpoints, of all probes, from the details of `reports` in order."""
    found: dict[str, dict[int, float]] = {}
    for name, probe in PROBES.items():
        having = [(r, d) for r in reports if (d := details_of(r, name, fetch)) is not None]
        if probe.comparison is None or not having:
            continue
        try:
            settings = probe.settings.parse(having[0][0].probes[name].settings, name)
        except InvalidInput:
            continue
        values = probe.comparison.values(settings, [details for _, details in having])
        for signal, by_checkpoint in values.items():
            pairs = zip(having, by_checkpoint, strict=True)
            found[signal] = {r.tokens: value for (r, _), value in pairs if value is not None}
    return found
