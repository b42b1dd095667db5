"""Grafana's panels as an HTML page, from a Prometheus's answers; no Grafana is needed.

It knows only the parts of Grafana that our dashboards use: four kinds of panels, and units.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from monitoring import Prometheus
from plotly.offline import get_plotlyjs
from transformations import Json, Row, transformed

NO_DATA = '<p class="empty">No data</p>'
ROW_PIXELS = 38
STYLE = """
body { margin: 12px; background: #f4f5f5; color: #24292e; font: 13px Inter, Arial, sans-serif }
main { max-width: 1560px; display: grid; grid-template-columns: repeat(24, minmax(0, 1fr));
  gap: 8px; grid-auto-rows: 30px }
section { background: #fff; border: 1px solid #e0e1e4; padding: 6px 10px; overflow: hidden;
  display: flex; flex-direction: column }
h1 { font-size: 18px } h2 { font-size: 13px; font-weight: 600; margin: 0 0 4px }
section > div { flex: 1; min-height: 0 }
.stat { display: grid; place-content: center; color: #1a7f4b; height: 100% }
.empty { color: #8a8f98; text-align: center }
table { border-collapse: collapse; width: 100%; font-size: 12px }
td, th { border: 1px solid #e7e8ea; padding: 3px 8px; text-align: left }
"""
SCALES = ((1e12, " Tri"), (1e9, " Bil"), (1e6, " Mil"), (1e3, " K"))
LENGTHS = (
    (86_400, " days"),
    (3_600, " hours"),
    (60, " mins"),
    (1, " s"),
    (1e-3, " ms"),
    (1e-6, " µs"),
)
BYTES = tuple((1024**n, f" {unit}") for n, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")))


def _scaled(steps: Sequence[tuple[float, str]]) -> Callable[[float], str]:
    """Writes a number in the largest of the units that it reaches."""

    def written(value: float) -> str:
        for size, unit in steps:
            if abs(value) >= size:
                return f"{value / size:.3g}{unit}"
        return f"{value:.3g}"

    return written


UNITS: dict[str, Callable[[float], str]] = {
    "": lambda value: f"{value:.4g}",
    "percentunit": lambda value: f"{value * 100:.3g}%",
    "percent": lambda value: f"{value:.3g}%",
    "short": _scaled(SCALES),
    "s": _scaled(LENGTHS),
    "bytes": _scaled(BYTES),
    "mbytes": lambda value: f"{value / 1_024:.3g} GiB",
    "watt": lambda value: f"{value:.3g} W",
    "celsius": lambda value: f"{value:.3g} °C",
}


@dataclass(frozen=True)
class Screen:
    """Where panels get their data: a Prometheus, the choices of the viewer, and the time shown."""

    prometheus: Prometheus
    chosen: Mapping[str, str]
    start: float
    end: float
    """Seconds since 1970."""

    def page(self, board: Json) -> str:
        """The dashboard as a document of its own."""
        panels = "".join(self._section(panel) for panel in board["panels"])
        return (
            f"<!doctype html><meta charset=utf-8><title>{escape(board['title'])}</title>"
            f"<style>{STYLE}</style><script>{get_plotlyjs()}</script>"
            f"<h1>{escape(board['title'])}</h1><main>{panels}</main>"
        )

    def _section(self, panel: Json) -> str:
        place = panel["gridPos"]
        where = (
            f"grid-column: {place['x'] + 1} / span {place['w']}; "
            f"grid-row: {place['y'] + 1} / span {place['h']}"
        )
        kinds = {"stat": self._stat, "timeseries": self._course, "table": self._table}
        inside = (kinds | {"trend": self._trend})[panel["type"]](panel)
        title = escape(panel["title"])
        return f'<section style="{where}"><h2>{title}</h2><div>{inside}</div></section>'

    def _expression(self, target: Json) -> str:
        expression: str = target["expr"]
        for name, value in self.chosen.items():
            expression = expression.replace(f"${name}", value)
        return expression

    def _stat(self, panel: Json) -> str:
        (target,) = panel["targets"]
        found = self.prometheus.query(self._expression(target), self.end)
        if not found:
            return NO_DATA
        if panel["options"]["textMode"] == "name":
            shown = [named(target, one["metric"]) for one in found]
        else:
            shown = [written(panel, float(one["value"][1])) for one in found]
        text = ", ".join(shown)
        size = min(30, 400 // len(text))
        return f'<div class="stat" style="font-size: {size}px">{escape(text)}</div>'

    def _course(self, panel: Json) -> str:
        traces = [
            {
                "x": [1_000 * float(at) for at, _ in one["values"]],
                "y": [_number(value) for _, value in one["values"]],
                "name": named(target, one["metric"]),
            }
            for target in panel["targets"]
            for one in self.prometheus.course(self._expression(target), self.start, self.end)
        ]
        return _chart(panel, traces, {"type": "date"})

    def _rows(self, panel: Json) -> list[Row]:
        """The table that the panel's transformations make of its queries."""
        tables = [
            [
                {
                    **one["metric"],
                    _value(panel, target): float(one["value"][1]),
                    "Time": float(one["value"][0]),
                }
                for one in self.prometheus.query(self._expression(target), self.end)
            ]
            for target in panel["targets"]
        ]
        return transformed(tables, panel.get("transformations", ()))

    def _table(self, panel: Json) -> str:
        rows = self._rows(panel)
        if not rows:
            return NO_DATA
        columns = list(dict.fromkeys(name for row in rows for name in row))
        numbers = [v for row in rows for v in row.values() if isinstance(v, float)]
        coloured = "color" in panel["fieldConfig"]["defaults"]
        ends = (min(numbers), max(numbers)) if coloured and numbers else None
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        body = "".join(
            f"<tr>{''.join(_cell(panel, row.get(name), ends) for name in columns)}</tr>"
            for row in rows
        )
        return f"<table><tr>{head}</tr>{body}</table>"

    def _trend(self, panel: Json) -> str:
        rows, axis = self._rows(panel), panel["options"]["xField"]
        names = [name for name in dict.fromkeys(n for row in rows for n in row) if name != axis]
        traces = [
            {"x": [row[axis] for row in rows], "y": [row.get(name) for row in rows], "name": name}
            for name in names
        ]
        return _chart(panel, traces, {"type": "linear"}, markers=True)


def named(target: Json, labels: Mapping[str, str]) -> str:
    """A series' name by its legend, or by its labels as Grafana writes them."""
    legend: str = target.get("legendFormat", "")
    if not legend:
        own = ", ".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
        return f"{labels.get('__name__', '')}{{{own}}}"
    for key, value in labels.items():
        legend = legend.replace(f"{{{{{key}}}}}", value)
    return legend


def written(panel: Json, value: float) -> str:
    """A number in the panel's unit."""
    return UNITS[panel["fieldConfig"]["defaults"].get("unit", "")](value)


def _value(panel: Json, target: Json) -> str:
    return "Value" if len(panel["targets"]) == 1 else f"Value #{target['refId']}"


def _number(text: str) -> float | None:
    return None if math.isnan(number := float(text)) else number


def _cell(panel: Json, value: Any, ends: tuple[float, float] | None) -> str:
    if not isinstance(value, float):
        return f"<td>{escape('' if value is None else str(value))}</td>"
    if ends is None:
        return f"<td>{escape(written(panel, value))}</td>"
    share = (value - ends[0]) / (ends[1] - ends[0] or 1)
    colour = f"hsl({120 - 120 * share:.0f} 60% 70%)"
    digits = panel["fieldConfig"]["defaults"].get("decimals", 2)
    return f'<td style="background: {colour}; text-align: center">{value:.{digits}f}</td>'


def _chart(panel: Json, traces: list[Json], axis: Json, markers: bool = False) -> str:
    if not traces:
        return NO_DATA
    defaults = panel["fieldConfig"]["defaults"]
    log = defaults.get("custom", {}).get("scaleDistribution", {}).get("type") == "log"
    stacked = "stacking" in defaults.get("custom", {})
    beside = panel["options"].get("legend", {}).get("placement") == "right"
    known = [y for trace in traces for y in trace["y"] if y is not None]
    low, high = min(known), max(known)
    ticks = [low + (high - low) * step / 4 for step in range(5)] if high > low else [low]
    named_ticks = {"tickvals": ticks, "ticktext": [written(panel, tick) for tick in ticks]}
    vertical: Json = {} if stacked else named_ticks
    layout = {
        "margin": {"l": 60, "r": 10, "t": 5, "b": 40},
        "height": ROW_PIXELS * panel["gridPos"]["h"] - 50,
        "xaxis": axis,
        "yaxis": vertical | ({"type": "log"} if log else {}),
        "legend": {} if beside else {"orientation": "h", "y": -0.25},
        "showlegend": True,
        "font": {"size": 11},
    }
    drawing: Json = {"mode": "lines+markers" if markers else "lines"}
    if stacked:
        drawing["stackgroup"] = "all"
    drawn = json.dumps([trace | drawing for trace in traces])
    name = f"panel-{panel['id']}"
    options = json.dumps({"staticPlot": True})
    return (
        f'<div id="{name}"></div><script>Plotly.newPlot("{name}", {drawn}, '
        f"{json.dumps(layout)}, {options})</script>"
    )
