"""The CustomResourceDefinition of LCCPRun, rendered from its types."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from lccp.api.labels import GROUP, KIND, PLURAL, VERSION
from lccp.api.run import LCCPRun
from lccp.contract.cel import VALIDATIONS, Rule
from lccp.contract.changes import Change
from lccp.contract.schema import Field, Schema, bare, fields, structural
from lccp.probes.registry import PROBES

HEADER = "# Rendered from lccp.api by `lccp crd`; do not edit.\n"
HEAD_COLUMNS = (
    ("Status", "string", ".status.summary", "What the run is doing, or how it ended.", 0),
    ("Tokens", "string", ".status.progress.display", "Tokens trained.", 0),
)
TAIL_COLUMNS = (
    ("Verdict", "string", ".status.verdict.state", "What the measurements say.", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the run was created.", 0),
)
WIDE_COLUMNS = (
    ("Percent", "integer", ".status.progress.percent", "Share of the budget.", 1),
    ("Gain", "string", ".status.verdict.gain", "Gain of the signal over the horizon.", 1),
    ("Attempt", "integer", ".status.attempt", "Current attempt of the training gang.", 1),
    ("Advice", "string", ".status.verdict.advice", "What to do.", 1),
)


def render_crd() -> str:
    """The CustomResourceDefinition as YAML."""
    return HEADER + yaml.dump(crd(), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition as plain values."""
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in columns()],
        "schema": {"openAPIV3Schema": _schema()},
    }
    names = {
        "kind": KIND,
        "listKind": f"{KIND}List",
        "plural": PLURAL,
        "singular": KIND.lower(),
        "shortNames": ["lccp"],
        "categories": ["lccp"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def columns() -> list[tuple[str, str, str, str, int]]:
    """Name, type, path, description and priority of each of kubectl's columns."""
    titles = {signal.name: signal.title for signal in PROBES.signals()}
    of_signals = [
        (
            column.title,
            "string",
            f".status.latest.values.{column.signal}",
            f"{titles[column.signal]} of the newest evaluated checkpoint.",
            int(column.wide),
        )
        for column in PROBES.columns()
    ]
    narrow = [column for column in of_signals if not column[4]]
    wide = [column for column in of_signals if column[4]]
    return [*HEAD_COLUMNS, *narrow, *TAIL_COLUMNS, *wide, *WIDE_COLUMNS]


def _column(name: str, kind: str, path: str, description: str, priority: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "jsonPath": path,
        "description": description,
        "priority": priority,
    }


def _schema() -> Schema:
    schema = structural(LCCPRun)
    properties = schema["properties"]
    for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        properties[name] = {"type": kind}
    schema["required"] = ["spec"]
    spec = properties["spec"]
    for field in list(identity(spec)):
        own = field.schema.get(VALIDATIONS, ())
        field.schema[VALIDATIONS] = [*own, _unchanged(field).document()]
    plain: Schema = bare(schema)
    return plain


def identity(spec: Schema) -> Iterator[Field]:
    """The parts of the spec that form the run's identity, as high up in the tree as possible."""
    others = {field.path for field in fields(spec) if field.change is not Change.IDENTITY}
    done: list[str] = []
    for field in fields(spec):
        partly = any(path == field.path or path.startswith(f"{field.path}.") for path in others)
        if not partly and not any(
            field.path.startswith((f"{top}.", f"{top}[", f"{top}{{")) for top in done
        ):
            done.append(field.path)
            yield field


def _unchanged(field: Field) -> Rule:
    """The rule at the field itself, which every stored object has."""
    sentence = (
        f"{field.path[1:]} is part of the run's identity, which never changes: give the changed "
        "run another name"
    )
    return Rule("self == oldSelf", sentence)


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key; no anchors; floats of YAML 1.2 in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+([.][0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
