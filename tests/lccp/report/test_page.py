import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import a_run
import pytest

from lccp.api.causes import Cause
from lccp.api.objects.report import EvaluationFailure
from lccp.probes.registry import PROBES
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.exhibits import exhibits
from lccp.report.page.render import render, write_report
from lccp.store.file import FileStore


class Page(HTMLParser):
    """What a page would fetch, the JSON that it carries, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.titles: list[str] = []
        self.words: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        self.fetched += [f"{tag} {n}={v}" for n, v in attrs if n in ("src", "href", "srcset")]

    def handle_data(self, data: str) -> None:
        if self._open not in ("script", "style"):
            self.words.append(data)
        if self._open == "h2" and data.strip():
            self.titles.append(data)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    store = FileStore(tmp_path_factory.mktemp("store"))
    a_run.put(store, a_run.finished())
    return RunData.from_store(store, a_run.KEYS)


@pytest.fixture(scope="module")
def text(data: RunData) -> str:
    return render(data)


def test_the_page_asks_the_network_for_nothing(text: str) -> None:
    assert Page(text).fetched == []
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_figure_is_there_with_a_caption(text: str, data: RunData) -> None:
    shown = list(exhibits(data, verdict_of(data)))
    assert [e.title for e in shown if e.title not in Page(text).titles] == []
    others = ("Gain per horizon", "Training")
    assert len(shown) == sum(len(probe.charts) for probe in PROBES.values()) + len(others)
    figures = re.findall(r'class="plot"></div><script type="application/json">(.*?)</script>', text)
    assert len(figures) == len(shown)
    assert all(json.loads(figure.replace("<\\/", "</"))["data"] for figure in figures)


def test_it_is_headed_by_verdict_and_numbers(text: str) -> None:
    words = " ".join(Page(text).words)
    assert "Saturated since 1.43 M tokens" in words
    assert "tokens saved 1.84 M" in words
    assert "56 % of the budget" in words
    assert a_run.identity().digest in words


def test_the_least_gain_is_that_of_the_leading_signal(data: RunData) -> None:
    page = render(replace(data, verdict=a_run.verdict_with_own_min_gain(0.05)))
    assert "0.05 per horizon" in " ".join(Page(page).words)


def test_every_checkpoint_has_a_row(text: str) -> None:
    rows = text[text.index("<tbody>") : text.index("</tbody>")].count("<tr>")
    assert rows == len(a_run.CHECKPOINTS)


def test_a_run_without_reports_has_a_page() -> None:
    page = Page(render(RunData("default/young", reports=())))
    assert "Undetermined: the checkpoints so far do not decide" in " ".join(page.words)
    assert "Checkpoints" in page.titles


@pytest.mark.slow
def test_what_comes_from_outside_is_escaped(data: RunData) -> None:
    evil = "<b onclick=alert(1)>"
    attempt = a_run.journal().attempts[0].model_copy(update={"message": evil})
    failure = EvaluationFailure(cause=Cause.INTERNAL, message=evil, exit_code=70, at=a_run.START)
    page = render(
        replace(
            data,
            title=evil,
            verdict=a_run.verdict().model_copy(update={"evidence": (evil,), "advice": evil}),
            journal=a_run.journal().model_copy(update={"attempts": (attempt,)}),
            failures={1: failure},
        )
    )
    assert evil not in page
    assert page.count("&lt;b onclick=alert(1)&gt;") >= 6


@pytest.mark.slow
def test_writing_replaces_the_page_whole(data: RunData, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "report.html"
    assert write_report(data, path) == path
    first = path.read_bytes()
    write_report(data, path)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_the_page_tells_what_the_trainers_told(data: RunData) -> None:
    last = data.history[-1].model_copy(update={"router": a_run.ROUTER, "spike": a_run.SPIKE})
    page = Page(render(replace(data, history=(*data.history[:-1], last))))
    told = {"Where the time went", "Routers of the experts", "Steps that stood out"}
    assert told <= set(page.titles)
    words = " ".join(page.words)
    assert "75 %" in words
    assert "40 %" in words
    assert "its batch was left out" in words


def test_a_run_without_experts_or_spikes_has_no_such_sections(text: str) -> None:
    assert {"Routers of the experts", "Steps that stood out"}.isdisjoint(Page(text).titles)
