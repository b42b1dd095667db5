"""Small pieces of HTML. Every text that comes from outside is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

from lccp.api.objects.verdict import VerdictState
from lccp.report.states import STATE_COLOURS, STATE_WORDS


def section(title: str, body: str, *, long: bool = False) -> str:
    kind = ' class="long"' if long else ""
    return f"<section{kind}>\n<h2>{escape(title)}</h2>\n{body}\n</section>"


def cards(entries: Iterable[tuple[str, str, str]]) -> str:
    """Key numbers: name, value and a line below it (may be empty)."""
    boxes = (
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in entries
    )
    return '<dl class="cards">\n' + "\n".join(boxes) + "\n</dl>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], text: Sequence[int] = ()) -> str:
    """Rows of ready HTML cells, numbers to the right; the columns in `text` to the left."""
    kinds = [' class="text"' if i in text else "" for i in range(len(heads))]
    top = "".join(f"<th{k}>{escape(h)}</th>" for k, h in zip(kinds, heads, strict=True))
    lines = (
        "".join(f"<td{k}>{cell}</td>" for k, cell in zip(kinds, row, strict=True)) for row in rows
    )
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    head = f"<thead><tr>{top}</tr></thead>"
    return f'<div class="scroll"><table>\n{head}\n<tbody>\n{body}\n</tbody></table></div>'


def state(value: VerdictState) -> str:
    return (
        f'<span class="state" style="--state: {STATE_COLOURS[value]}">{STATE_WORDS[value]}</span>'
    )


def bullets(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def facts(entries: Iterable[tuple[str, str]]) -> str:
    pairs = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in entries)
    return f'<dl class="facts">{"".join(pairs)}</dl>'


def folded(title: str, text: str) -> str:
    """Preformatted text that opens on a click."""
    return f"<details><summary>{escape(title)}</summary><pre>{escape(text)}</pre></details>"


def plot(figure_json: str, caption: str, *, wide: bool = False) -> str:
    """A figure with its caption; the page's script draws it. A wide one scrolls on phones."""
    kind = "plot wide" if wide else "plot"
    data = figure_json.replace("</", "<\\/")
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>\n"
        f'<div class="{kind}"></div><script type="application/json">{data}</script></figure>'
    )
