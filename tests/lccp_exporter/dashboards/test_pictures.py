"""The dashboards as pictures: what a viewer sees after six hours, drawn in a real browser.

Grafana is not run. The queries are answered by a real Prometheus; `panels` arranges and draws them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import working_day
from browser import Page, browser
from panels import Screen
from past import remembering

from lccp_exporter.dashboards.render import BOARDS

SHOTS = os.environ.get("LCCP_SCREENSHOTS")
"""A folder for pictures of the dashboards."""
SCRAPED_AGO = timedelta(seconds=20)
"""How old the newest facts are when the dashboards are looked at."""
CHOSEN = {"namespace": "default", "run": "tiny"}
pytestmark = pytest.mark.long


@dataclass(frozen=True)
class Wall:
    """A browser, and what it shows dashboards of."""

    page: Page
    screen: Screen
    folder: Path

    def show(self, name: str) -> None:
        path = self.folder / f"{name}.html"
        path.write_text(self.screen.page(BOARDS[name].json()), encoding="utf-8")
        self.page.open(path.as_uri(), width=1_600, height=1_000)
        if SHOTS:
            self.page.screenshot(Path(SHOTS) / f"{name}.png")


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    folder: Path = tmp_path_factory.mktemp("wall")
    now = datetime.now(UTC)
    past = working_day.pages(folder, now - SCRAPED_AGO)
    with remembering(folder, past) as prometheus, browser(folder) as page:
        begin = now - working_day.LENGTH
        yield Wall(page, Screen(prometheus, CHOSEN, begin.timestamp(), now.timestamp()), folder)


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_shows_something(wall: Wall, name: str) -> None:
    wall.show(name)
    empty = "[...document.querySelectorAll('section:has(.empty) h2')].map(h => h.innerText)"
    assert wall.page.value(empty) == []
    assert wall.page.faults == []


def test_nothing_is_shown_that_is_yet_to_happen(wall: Wall) -> None:
    wall.show("operator")
    numbers = "[...document.querySelectorAll('section .stat')].map(h => h.innerText)"
    shown = wall.page.value(numbers)
    assert shown
    assert [text for text in shown if text.startswith("-")] == []
