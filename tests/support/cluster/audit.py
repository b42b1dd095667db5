"""What a service account requested from the API server, from the cluster's audit log."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from needs import missing

DECISION = "authorization.k8s.io/decision"
READING = ("get", "list", "watch")
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Audit:
    """Requests as (verb, API group, resource with subresource), by whether they were allowed.

    `written` are the namespaces in which they wrote; `invalid` are those answered by 422.
    """

    allowed: set[tuple[str, str, str]] = field(default_factory=set)
    denied: list[tuple[str, str, str]] = field(default_factory=list)
    invalid: list[tuple[str, str, str]] = field(default_factory=list)
    written: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, account: str, namespace: str) -> Self:
        """The requests of the service account `account` in `namespace`, by the cluster's log."""
        log = os.environ.get("CLUSTER_AUDIT_LOG")
        if log is None:
            missing("needs a cluster with an audit log: set CLUSTER_AUDIT_LOG")
        user = f"system:serviceaccount:{namespace}:{account}"
        found = cls()
        for line in Path(log).read_text().splitlines(keepends=True):
            if user not in line or not line.endswith("\n"):
                continue
            entry = json.loads(line)
            if entry["user"]["username"] == user and "objectRef" in entry:
                found.add(entry)
        return found

    def add(self, entry: dict[str, Any]) -> None:
        """Take down one entry of the log."""
        asked = _asked(entry)
        if entry["annotations"].get(DECISION) != "allow":
            self.denied.append(asked)
            return
        self.allowed.add(asked)
        if entry.get("responseStatus", {}).get("code") == UNPROCESSABLE:
            self.invalid.append(asked)
        if entry["verb"] not in READING:
            self.written.add(entry["objectRef"].get("namespace", ""))

    def unused(self, rules: Iterable[dict[str, Any]]) -> list[tuple[str, str, str]]:
        """What `rules` of a role grant and the account never asked for."""
        granted = [
            (verb, group, resource)
            for rule in rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        ]
        return sorted(set(granted) - self.allowed)


def _asked(entry: dict[str, Any]) -> tuple[str, str, str]:
    what = entry["objectRef"]
    resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
    return entry["verb"], what.get("apiGroup", ""), resource
