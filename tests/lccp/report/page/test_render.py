"""The page as a whole: what it fetches, displays and escapes, and how it is written."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import a_run
import pytest
from pages import Page

from lccp.api.causes import Cause
from lccp.api.objects.report import EvaluationFailure
from lccp.contract.errors import InvalidInput
from lccp.probes.registry import PROBES
from lccp.report.load import RunData
from lccp.report.page.render import render, write_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def text(data: RunData) -> str:
    return render(data)


def test_the_page_asks_the_network_for_nothing(text: str) -> None:
    assert Page(text).fetched == []
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_figure_is_there_with_a_caption(text: str) -> None:
    titles = [chart.title for probe in PROBES.values() for chart in probe.charts]
    titles += ["Gain per horizon", "Training"]
    assert Counter(titles) <= Counter(Page(text).titles)
    plot = r'class="plot(?: wide)?"></div><script type="application/json">(.*?)</script>'
    figures = re.findall(plot, text)
    assert len(figures) == len(titles)
    assert all(json.loads(figure.replace("<\\/", "</"))["data"] for figure in figures)


def test_the_figure_of_the_leading_signal_comes_first_and_rows_after_the_figures(
    text: str,
) -> None:
    titles = Page(text).titles
    assert titles[:2] == ["NIAH score and perplexity against tokens", "Evidence"]
    assert titles.index("Training") < titles.index("Checkpoints")


def test_it_is_headed_by_verdict_and_numbers(text: str) -> None:
    words = " ".join(Page(text).words)
    assert "Saturated since 1.43 M tokens" in words
    assert "tokens saved 1.84 M" in words
    assert "accelerator-hours saved 0.241 at the last throughput" in words
    assert "56 % of the budget" in words
    assert a_run.identity().digest in words


def test_a_run_without_reports_has_a_page() -> None:
    page = Page(render(RunData("default/young", reports=())))
    assert "Undetermined: the checkpoints so far do not decide" in " ".join(page.words)
    assert "Checkpoints" in page.titles


def test_what_comes_from_outside_is_escaped(plain: RunData) -> None:
    evil = "<b onclick=alert(1)>"
    attempt = a_run.journal().attempts[0].model_copy(update={"message": evil})
    failure = EvaluationFailure(cause=Cause.INTERNAL, message=evil, exit_code=70, at=a_run.START)
    page = render(
        replace(
            plain,
            title=evil,
            verdict=a_run.verdict().model_copy(update={"evidence": (evil,), "advice": evil}),
            journal=a_run.journal().model_copy(update={"attempts": (attempt,)}),
            failures={1: failure},
        )
    )
    assert evil not in page
    assert page.count("&lt;b onclick=alert(1)&gt;") >= 6


def test_writing_replaces_the_page_whole(plain: RunData, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    assert write_report(plain, path) == path
    first = path.read_bytes()
    write_report(plain, path)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_no_figure_is_drawn_for_a_place_that_takes_no_page(
    plain: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[RunData] = []
    monkeypatch.setattr("lccp.report.page.render.render", drawn.append)
    (tmp_path / "file").touch()

    for place in (tmp_path, tmp_path / "file" / "page.html"):
        with pytest.raises(InvalidInput, match=re.escape(f"{place}: cannot be written")):
            write_report(plain, place)
    assert drawn == []
