"""The chart's README and reference page, rendered from its values.yaml and values.schema.json."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lccp_exporter import alerting

CHART = Path(__file__).parents[2] / "charts" / "lccp"
KEY = re.compile(r"( *)([A-Za-z]\w*):")
COMMENT = re.compile(r" *# ?(-- )?(.*)")

README = """# lccp

{description}.

```sh
helm install lccp charts/lccp --namespace lccp --create-namespace \\
  --set stores[0].name=default,stores[0].url=s3://bucket/prefix \\
  --set stores[0].endpoint=http://s3:8333,stores[0].credentialsSecret=s3-credentials
helm test lccp --namespace lccp
```

Kubernetes {kubernetes}. How to build or mirror the images, step by step:
[install](../../docs/how-to/install.md).

## Values

{table}

This page is generated from `values.yaml` and `values.schema.json`.
"""

PAGE = """# The chart

`charts/lccp` {version} installs the operator, the exporter and the CRD. A value of a wrong type,
out of its bounds or of an unknown name is refused by the schema before anything is installed; then
all others that can't be right are refused at once, each with a sentence that says what would be.
[How to install it](../how-to/install.md).

## Values

{table}

## Alerts

With `metrics.rules.enabled`, or as a rule file: `charts/lccp/files/alerts.yaml`.

{alerts}

This page is generated from the chart's `values.yaml`, `values.schema.json` and the alerts.
"""


@dataclass(frozen=True)
class Value:
    """A value that users may set."""

    path: str
    default: Any
    description: str


def documented(text: str) -> Iterator[Value]:
    """The values of `text`, a values.yaml, whose keys follow a comment that starts with `--`."""
    defaults = yaml.safe_load(text)
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if key := KEY.match(line):
            indent = len(key[1])
            parents = [one for one in parents if one[0] < indent] + [(indent, key[2])]
            path = [name for _, name in parents]
            if comment:
                yield Value(".".join(path), _at(defaults, path), " ".join(comment))
            comment = []
        elif (words := COMMENT.fullmatch(line)) and (words[1] or comment):
            comment.append(words[2])


def _at(tree: Any, path: list[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


def kind(schema: dict[str, Any], path: str) -> str:
    """The schema's type of the value at `path`, in words. Raises KeyError if it has none."""
    node = schema
    for name in path.split("."):
        node = _resolved(schema, _resolved(schema, node)["properties"][name])
    if "enum" in node:
        return "enum"
    if node["type"] == "array":
        return f"list of {_resolved(schema, node['items'])['type']}s"
    return str(node["type"])


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    found: dict[str, Any] = node if reference is None else schema["definitions"][reference[14:]]
    return found


@cache
def _chart() -> dict[str, Any]:
    chart: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    return chart


def _values() -> str:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    rows = [
        f"| `{v.path}` | {kind(schema, v.path)} | `{json.dumps(v.default)}` | {v.description} |"
        for v in documented((CHART / "values.yaml").read_text(encoding="utf-8"))
    ]
    return "\n".join(["| value | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _alerts() -> str:
    groups = yaml.safe_load(alerting.text(alerting.ALERTS))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    rows = [
        f"| `{r['alert']}` | {r['labels']['severity']} | "
        f"{_plain(r['annotations']['summary'])} {_plain(r['annotations']['description'])} |"
        for r in rules
    ]
    return "\n".join(["| alert | severity | meaning |", "| --- | --- | --- |", *rows])


def _plain(template: str) -> str:
    """An annotation with its label templates as italics, values as an ellipsis."""
    asked = re.sub(r'\{\{ with .*?label "(\w+)".*?\{\{ end \}\}', r"*\1*", template)
    given = re.sub(
        r"\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ \. \}\}(.*?)\{\{ end \}\}", r"\2*\1*\3", asked
    )
    named = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", given)
    return re.sub(r"\{\{.*?\}\}", "…", named)


def render_readme() -> str:
    """`charts/lccp/README.md`."""
    chart = _chart()
    return README.format(
        description=chart["description"],
        kubernetes=chart["kubeVersion"].removesuffix("-0").replace(">=", "at least "),
        table=_values(),
    )


def render_page() -> str:
    """`docs/reference/chart.md`."""
    return PAGE.format(version=_chart()["version"], table=_values(), alerts=_alerts())
