"""Prometheus's alert rules as Grafana's.

A rule of Prometheus fires for every series that its expression returns, whatever its value. Grafana
fires if a number is above 0, so each result of the expression is first turned into a 1.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from lccp_exporter.alerting import ALERTS, RUNBOOKS, text

Json = dict[str, Any]

UID_PREFIX = "lccp-"
INTERVAL_SECONDS = 60
EXPRESSION = "__expr__"
"""Grafana's data source for its own calculations."""
QUERY, PRESENT, CONDITION = "A", "B", "C"
LOOK_BACK_SECONDS = 600
VALUE = re.compile(r"\$value\b")


def rule_groups(folder_uid: str, source_uid: str, runbook_url: str) -> Iterator[Json]:
    """The groups as `PUT …/rule-groups/<title>` takes them, for the data source `source_uid`."""
    runbooks = f"{runbook_url.rstrip('/')}/"
    for group in yaml.safe_load(text(ALERTS).replace(RUNBOOKS, runbooks))["groups"]:
        name = group["name"]
        yield {
            "title": name,
            "folderUid": folder_uid,
            "interval": INTERVAL_SECONDS,
            "rules": [_rule(rule, name, folder_uid, source_uid) for rule in group["rules"]],
        }


def _rule(rule: Json, group: str, folder_uid: str, source_uid: str) -> Json:
    return {
        "uid": f"{UID_PREFIX}{rule['alert'].lower()}",
        "orgID": 1,  # required, but the token's organization applies
        "title": rule["alert"],
        "folderUID": folder_uid,
        "ruleGroup": group,
        "condition": CONDITION,
        "data": _data(rule["expr"], source_uid),
        "for": rule["for"],
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": rule["labels"],
        "annotations": {
            key: VALUE.sub(f"$values.{QUERY}.Value", template)
            for key, template in rule["annotations"].items()
        },
    }


def _data(expression: str, source_uid: str) -> list[Json]:
    """The query, a 1 for each of its series, and the condition that it is above 0."""
    present = " || ".join(f"is_{kind}(${QUERY})" for kind in ("number", "nan", "inf"))
    above = [{"evaluator": {"type": "gt", "params": [0]}}]
    return [
        _part(QUERY, source_uid, {"expr": expression.strip(), "instant": True, "range": False}),
        _part(PRESENT, EXPRESSION, {"type": "math", "expression": present}),
        _part(
            CONDITION,
            EXPRESSION,
            {"type": "threshold", "expression": PRESENT, "conditions": above},
        ),
    ]


def _part(reference: str, source_uid: str, model: Json) -> Json:
    return {
        "refId": reference,
        "datasourceUid": source_uid,
        "relativeTimeRange": {"from": LOOK_BACK_SECONDS, "to": 0},
        "model": {"refId": reference, **model},
    }
