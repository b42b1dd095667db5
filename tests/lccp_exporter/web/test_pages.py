"""The pages for people, in a real browser."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import a_run
import pytest
from browser import Page, browser
from monitoring import until

from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter.config import configuration
from lccp_exporter.main import Exporter

RUN = "/runs/default/tiny"
SHOTS = os.environ.get("LCCP_SCREENSHOTS")
"""A folder for pictures of the pages."""

pytestmark = pytest.mark.long


@dataclass
class Site:
    """The exporter's pages in a browser."""

    page: Page
    url: str
    store: FileStore

    def open(self, path: str, width: int = 1_200, dark: bool = False) -> None:
        self.page.open(f"{self.url}{path}", width, dark=dark)

    def shot(self, name: str) -> None:
        if SHOTS:
            self.page.screenshot(Path(SHOTS) / f"{name}.png")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("pages")
    store = FileStore(folder / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[8], at=datetime.now(UTC)))
    a_run.put(store, a_run.finished(), RunKeys("team", "done"))
    a_run.put(store, a_run.without(a_run.running(0), "verdict"), RunKeys("team", "new"))
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.5)
    exporter = Exporter(config)
    exporter.start()
    with browser(folder) as page:
        url = f"http://127.0.0.1:{exporter.server.port}"
        shown = Site(page, url, store)

        def all_runs() -> bool:
            shown.open("/")
            return page.value("document.querySelectorAll('tbody tr').length") == 3

        assert until(all_runs, 30)
        yield shown
    exporter.close()


def test_the_list_names_every_run_with_its_verdict(site: Site) -> None:
    site.open("/")
    text = site.page.value("document.body.innerText")
    for part in ("default/tiny", "team/done", "Training", "deceptively saturated", "saturated"):
        assert part in text
    site.shot("runs")


def test_a_run_shows_curves_heat_maps_gains_and_evidence(site: Site) -> None:
    site.open(RUN)
    headings = site.page.value("[...document.querySelectorAll('h2,h3')].map(h => h.innerText)")
    for part in (
        "Conditions",
        "Signals against tokens",
        "Heat maps",
        "Evidence",
        "Attempts",
        "All signals",
    ):
        assert part in headings
    assert "Perplexity by length and depth" in headings
    assert "Retrieval score of every head" in headings
    count = "document.querySelectorAll('svg polyline').length"
    assert site.page.value(count) == 6
    gains = "[...document.querySelectorAll('[aria-label=Gains] tbody th')].map(h => h.innerText)"
    assert site.page.value(gains)[:2] == ["NIAH-PPL", "NIAH score"]
    rows = site.page.value("document.querySelector('[aria-label=Conditions] tbody').innerText")
    for part in ("Degraded", "EvaluationFailed", "ran out of memory <limit 4Gi>", "UTC"):
        assert part in rows
    site.shot("run")
    site.open(RUN, dark=True)
    site.shot("run-dark")


@pytest.mark.parametrize("path", ["/", RUN, "/runs/team/done", "/runs/team/new"])
@pytest.mark.parametrize("width", [380, 1_200])
def test_a_page_fits_its_window_and_the_console_tells_no_fault(
    site: Site, path: str, width: int
) -> None:
    site.page.faults.clear()
    site.open(path, width)
    assert site.page.value("document.documentElement.scrollWidth") <= width
    assert site.page.faults == []
    if path == RUN and width == 380:
        site.shot("run-380")
        site.open(path, width, dark=True)
        site.shot("run-380-dark")


def test_the_slider_shows_another_checkpoint_by_the_keyboard_alone(site: Site) -> None:
    site.open(RUN)
    before = site.page.value("document.getElementById('maps').innerText")
    for _ in range(60):
        if site.page.value("document.activeElement.id") == "checkpoint":
            break
        site.page.press("Tab")
    assert site.page.value("document.activeElement.id") == "checkpoint"
    site.page.press("Home")
    assert until(lambda: site.page.value("document.getElementById('maps').innerText") != before, 20)
    assert site.page.value("document.querySelector('output').innerText") == "0"
    first = f"{a_run.details(0)['niah']['ppl'][0, 0]:.2f}"
    assert site.page.value("document.querySelector('.cells td').innerText") == first
    assert site.page.faults == []


def test_a_screen_reader_meets_named_things(site: Site) -> None:
    site.open(RUN)
    names = site.page.names()
    images = [name for role, name in names if role in ("img", "image")]
    assert images
    assert all("against tokens. At the newest checkpoint" in name for name in images)
    assert any(role == "slider" and name == "Checkpoint" for role, name in names)
    unnamed = [role for role, name in names if role in ("link", "slider", "region") and not name]
    assert unnamed == []


def test_the_page_follows_the_run(site: Site) -> None:
    site.open("/runs/team/new")
    assert "There is no verdict yet." in site.page.value("document.body.innerText")
    a_run.put(site.store, a_run.running(a_run.CHECKPOINTS[6]), RunKeys("team", "new"))
    assert until(
        lambda: "deceptively" in site.page.value("document.body.innerText.toLowerCase()"), 40
    )


@pytest.mark.parametrize("theme", [False, True])
def test_text_has_enough_contrast(site: Site, theme: bool) -> None:
    """WCAG 2.1 AA: at least 4.5 : 1 for text, here of every element that has some."""
    site.open(RUN, dark=theme)
    assert site.page.value(CONTRAST) == []


CONTRAST = """(() => {
  const rgb = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const e of document.querySelectorAll("main *, nav *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e);
    const ink = light(rgb(e.closest("svg") ? style.fill : style.color));
    const page = light(behind(e));
    const ratio = (Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05);
    const name = `${e.tagName}.${e.className.baseVal ?? e.className}`;
    if (ratio < 4.5) low.push(`${name} ${ratio.toFixed(2)}`);
  }
  return [...new Set(low)];
})()"""
