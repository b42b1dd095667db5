"""Grafana's transformations of tables, as far as our dashboards use them."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Row = dict[str, Any]
LAST = 99
"""Place of a column that no place is given to."""


def transformed(tables: list[list[Row]], changes: Sequence[Json]) -> list[Row]:
    """What the transformations make of the queries' tables; without `merge` the first is shown."""
    rows = tables[0] if tables else []
    for change in changes:
        options = change["options"]
        match change["id"]:
            case "merge":
                rows = _merged(tables)
            case "organize":
                rows = [_organized(row, options) for row in rows]
            case "groupingToMatrix":
                rows = _matrix(rows, options)
            case "sortBy":
                (by,) = options["sort"]
                rows = sorted(rows, key=lambda row: row[by["field"]], reverse=bool(by.get("desc")))
            case "convertFieldType":
                fields = {one["targetField"] for one in options["conversions"]}
                rows = [{k: float(v) if k in fields else v for k, v in r.items()} for r in rows]
            case unknown:
                raise AssertionError(f"there is no transformation {unknown}")
    return rows


def _merged(tables: list[list[Row]]) -> list[Row]:
    """Rows of several tables that agree in the fields that both have become one."""
    merged: list[Row] = []
    for row in (row for table in tables for row in table):
        for known in merged:
            common = known.keys() & row.keys()
            if common and all(known[name] == row[name] for name in common):
                known |= row
                break
        else:
            merged.append(dict(row))
    return merged


def _organized(row: Row, options: Json) -> Row:
    left_out = {name for name, out in options.get("excludeByName", {}).items() if out}
    names = options.get("renameByName", {})
    order = options.get("indexByName", {})
    kept = sorted((name for name in row if name not in left_out), key=lambda n: order.get(n, LAST))
    return {names.get(name, name): row[name] for name in kept}


def _matrix(rows: list[Row], options: Json) -> list[Row]:
    down, across, value = (options[key] for key in ("rowField", "columnField", "valueField"))
    columns = list(dict.fromkeys(row[across] for row in rows))
    cells = {(row[down], row[across]): row[value] for row in rows}
    return [
        {f"{down}\\{across}": label} | {column: cells.get((label, column)) for column in columns}
        for label in dict.fromkeys(row[down] for row in rows)
    ]
