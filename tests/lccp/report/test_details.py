"""Arrays beside reports: accepted only if they match the report."""

import hashlib
from pathlib import Path

import a_run
import numpy as np
import pytest
from reports import packed

from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import NotFound
from lccp.probes.heads.retrieval_heads import SPEARMAN
from lccp.report.details import compared, details_of, nothing_beside, unpacked

DATA = packed({"scores": np.eye(2), "halves": np.zeros((2, 2, 2))})
REPORTS = a_run.reports(a_run.CHECKPOINTS[:3])


def fetch(report: EvaluationReport, name: str) -> bytes:
    return packed(a_run.details(report.tokens)[Path(name).stem])


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_arrays_come_back_all_or_those_that_are_named() -> None:
    found, one = unpacked(DATA, digest(DATA)), unpacked(DATA, digest(DATA), {"scores", "none"})

    assert found is not None
    assert one is not None
    assert set(found) == {"scores", "halves"}
    assert set(one) == {"scores"}
    assert (one["scores"] == np.eye(2)).all()


PICKLED = np.array([{}], dtype=object)


@pytest.mark.parametrize(
    "data", [b"", b"PK", DATA[:-9], PICKLED.dumps()], ids=["empty", "begun", "cut", "pickled"]
)
def test_what_holds_no_arrays_is_as_good_as_none(data: bytes) -> None:
    assert unpacked(data, digest(data)) is None


def test_arrays_of_another_digest_are_not_taken() -> None:
    assert unpacked(DATA, digest(b"other")) is None


def test_details_that_are_cut_short_or_gone_are_told_but_where_there_are_none() -> None:
    def gone(report: EvaluationReport, name: str) -> bytes:
        raise NotFound(name)

    told: list[tuple[int, str]] = []
    for fetched in (fetch, nothing_beside, gone, lambda report, name: fetch(report, name)[:-9]):
        details_of(
            REPORTS[0], "niah", fetched, lambda report, name: told.append((report.tokens, name))
        )
    assert told == [(REPORTS[0].tokens, "niah.npz")] * 2


def test_an_array_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[int] = []
    monkeypatch.setattr(
        hashlib, "sha256", lambda data, sha=hashlib.sha256: hashed.append(len(data)) or sha(data)
    )
    data = fetch(REPORTS[0], "niah.npz")
    hashed.clear()
    details_of(REPORTS[0], "niah", lambda *_: data, lambda *_: None)
    assert hashed == [len(data)]


def test_details_are_those_of_the_probe() -> None:
    found = details_of(REPORTS[0], "niah", fetch)

    assert found is not None
    assert (found["nll"] == a_run.niah_details(REPORTS[0].tokens)["nll"]).all()
    assert details_of(REPORTS[0], "none", fetch) is None
    assert details_of(REPORTS[0], "niah", nothing_beside) is None


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotFound, match=r"report at 102,400 tokens: there is no niah\.npz beside"):
        nothing_beside(REPORTS[1], "niah.npz")


def test_checkpoints_are_compared_with_those_before_them() -> None:
    found = compared(REPORTS, fetch)

    first, *later = (report.tokens for report in REPORTS)
    correlation = found[SPEARMAN]
    assert first not in correlation
    assert set(correlation) == set(later)
    assert compared(REPORTS, nothing_beside) == {}


def made_otherwise(**update: object) -> EvaluationReport:
    """The first report, with another version or settings of its probe of heads."""
    part = REPORTS[0].probes["retrieval_heads"]
    other = part.model_copy(update=update)
    return REPORTS[0].model_copy(update={"probes": REPORTS[0].probes | {"retrieval_heads": other}})


@pytest.mark.parametrize("other", [{"settings": {"former": 1}}, {"version": 9}])
def test_a_report_that_was_made_otherwise_is_not_compared(other: dict[str, object]) -> None:
    _, second, third = (report.tokens for report in REPORTS)

    found = compared([made_otherwise(**other), *REPORTS[1:]], fetch)

    assert second not in found[SPEARMAN]
    assert found[SPEARMAN][third] == compared(REPORTS, fetch)[SPEARMAN][third]


def test_of_reports_that_were_all_made_otherwise_the_oldest_count() -> None:
    assert not compared([made_otherwise(version=9), REPORTS[1]], fetch)[SPEARMAN]


def test_settings_of_another_version_of_lccp_are_not_compared() -> None:
    former = made_otherwise(settings={"former": 1})

    assert compared([former, former], fetch) == {}
