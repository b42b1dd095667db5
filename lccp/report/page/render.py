"""Assembles the page and writes it."""

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

import lccp
from lccp.report.figures.style import THEMES
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.sections import sections
from lccp.report.states import STATE_COLOURS
from lccp.report.summary import Summary
from lccp.store.local import atomic_write


def render(data: RunData) -> str:
    """One self-contained HTML page; it opens offline and makes no network requests."""
    verdict = verdict_of(data)
    summary = Summary.of(data, verdict)
    return Template(_resource("page.html")).substitute(
        title=escape(data.title),
        css=_resource("page.css"),
        colour=STATE_COLOURS[verdict.state],
        verdict=escape(summary.verdict),
        lead=escape(summary.ceiling_against_signal),
        sections="\n".join(sections(data, verdict, summary)),
        footer=f"Made by LCCP {escape(lccp.__version__)} from the run's stored facts.",
        plotly=get_plotlyjs(),
        themes=json.dumps(THEMES),
        script=_resource("page.js"),
    )


def write_report(data: RunData, path: Path) -> Path:
    """Write the page to `path` atomically: a reader sees the old page or the new one, complete.

    Raises InvalidInput if it can't be written; no figure is drawn for a place that takes no file.
    """
    with atomic_write(path) as write:
        write(render(data).encode())
    return path


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
