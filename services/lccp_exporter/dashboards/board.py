"""A dashboard, and the kinds of panels in our dashboards (Grafana's classic model, schema 42)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

Json = dict[str, Any]
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
"""Width of Grafana's grid."""
NAMED = re.compile(r"\{\{(\w+)\}\}")
"""A label in a legend."""


@dataclass(frozen=True)
class Query:
    """An expression in PromQL, and the names of its series."""

    expression: str
    legend: str = ""

    @classmethod
    def by_name(cls, expression: str, legend: str = "") -> Self:
        """A series for each name: labels that the legend leaves out, such as those of the pod that
        is scraped, would part a curve in two where they change."""
        labels = ", ".join(NAMED.findall(legend))
        by = f" by ({labels})" if labels else ""
        return cls(f"max{by} ({expression})", legend)


@dataclass(frozen=True)
class Panel:
    """A panel; panels are placed from left to right, row by row."""

    title: str
    description: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    unit: str = ""
    """Unit of values, by Grafana's name."""
    instant: bool = False
    """It shows current values, not a course in time."""
    options: Json = field(default_factory=dict)
    defaults: Json = field(default_factory=dict)
    """Additional defaults of its fields."""
    transformations: Sequence[Json] = ()

    def json(self, number: int, x: int, y: int) -> Json:
        unit = {"unit": self.unit} if self.unit else {}
        document = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [self._target(i, query) for i, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": {**unit, **self.defaults}, "overrides": []},
            "options": self.options,
        }
        changes = {"transformations": list(self.transformations)} if self.transformations else {}
        return document | changes

    def _target(self, number: int, query: Query) -> Json:
        target: Json = {"refId": chr(ord("A") + number), "expr": query.expression}
        if query.legend:
            target["legendFormat"] = query.legend
        if self.instant:
            target |= {"instant": True, "range": False}
        if self.kind in ("table", "trend"):
            target["format"] = "table"
        return target


def number(title: str, description: str, query: Query, width: int = 4, **more: Any) -> Panel:
    """One large number, or the name of its series (`by_name=True`)."""
    by_name = more.pop("by_name", False)
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "value",
        "graphMode": "none",
        "textMode": "name" if by_name else "auto",
    }
    return Panel(
        title,
        description,
        [query],
        kind="stat",
        width=width,
        height=4,
        instant=True,
        options=options,
        **more,
    )


def table(
    title: str,
    description: str,
    columns: Sequence[tuple[str, str]],
    labels: Mapping[str, str],
    **more: Any,
) -> Panel:
    """A row for all series that agree in their labels.

    Args:
        columns: name and expression of each value; without a name only its labels are shown.
        labels: the labels with their headings, which come before the values.
        more: additional fields of the panel.
    """
    letters = [f" #{chr(ord('A') + n)}" for n in range(len(columns))] if columns[1:] else [""]
    names = {f"Value{letter}": name for letter, (name, _) in zip(letters, columns, strict=True)}
    hidden = ["Time", *(value for value, name in names.items() if not name)]
    shown = {**labels} | {value: name for value, name in names.items() if name}
    organized = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {name: place for place, name in enumerate(shown)},
        "renameByName": shown,
    }
    return Panel(
        title,
        description,
        [Query(expression) for _, expression in columns],
        kind="table",
        instant=True,
        transformations=[
            {"id": "merge", "options": {}},
            {"id": "organize", "options": organized},
        ],
        **more,
    )


def against_tokens(title: str, description: str, expression: str, unit: str, log: bool) -> Panel:
    """Signals by checkpoint, with tokens as the horizontal axis."""
    axis = "checkpoint_tokens\\signal"
    scale = {"custom": {"scaleDistribution": {"type": "log", "log": 10}}} if log else {}
    matrix = {
        "rowField": "checkpoint_tokens",
        "columnField": "signal",
        "valueField": "Value",
    }
    conversions = [{"targetField": axis, "destinationType": "number"}]
    return Panel(
        title,
        description,
        [Query(f"max by (checkpoint_tokens, signal) ({expression})")],
        kind="trend",
        instant=True,
        unit=unit,
        defaults=scale,
        options={"xField": axis, "legend": {"showLegend": True, "placement": "bottom"}},
        transformations=[
            {"id": "groupingToMatrix", "options": matrix},
            {"id": "convertFieldType", "options": {"conversions": conversions}},
            {"id": "sortBy", "options": {"sort": [{"field": axis}]}},
        ],
    )


def heat_map(title: str, description: str, expression: str, down: str, across: str) -> Panel:
    """A grid as a table with coloured cells: Grafana's own heat map needs time as its axis."""
    matrix = {"rowField": down, "columnField": across, "valueField": "Value"}
    return Panel(
        title,
        description,
        [Query(f"max by ({down}, {across}) ({expression})")],
        kind="table",
        instant=True,
        options={"cellHeight": "sm"},
        defaults={
            "decimals": 2,
            "color": {"mode": "continuous-GrYlRd"},
            "custom": {"cellOptions": {"type": "color-background"}, "align": "center"},
        },
        transformations=[
            {"id": "sortBy", "options": {"sort": [{"field": across}]}},
            {"id": "groupingToMatrix", "options": matrix},
            {"id": "sortBy", "options": {"sort": [{"field": f"{down}\\{across}"}]}},
        ],
    )


@dataclass(frozen=True)
class Variable:
    """A selection at the dashboard's top, from the values of a label."""

    name: str
    title: str
    query: str

    def json(self) -> Json:
        return {
            "name": self.name,
            "label": self.title,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": self.query, "refId": self.name},
            "refresh": 2,
            "sort": 1,
        }


@dataclass(frozen=True)
class Board:
    """A dashboard; its UID is `lccp-<name>`."""

    name: str
    title: str
    description: str
    panels: Sequence[Panel]
    variables: Sequence[Variable] = ()

    def json(self) -> Json:
        source = {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
        }
        return {
            "uid": f"lccp-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["lccp"],
            "schemaVersion": 42,
            "id": None,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "1m",
            "time": {"from": "now-24h", "to": "now"},
            "timezone": "",
            "templating": {"list": [source, *(variable.json() for variable in self.variables)]},
            "panels": self._laid(),
        }

    def _laid(self) -> list[Json]:
        """The panels with their positions: a row is as high as its highest panel."""
        laid: list[Json] = []
        x = y = height = 0
        for n, panel in enumerate(self.panels, 1):
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            laid.append(panel.json(n, x, y))
            x, height = x + panel.width, max(height, panel.height)
        return laid
