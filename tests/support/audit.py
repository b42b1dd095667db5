"""What a service account asked of the API server, from the cluster's audit log."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True)
class Audit:
    """Requests as (verb, API group, resource with subresource), by whether they were allowed."""

    allowed: set[tuple[str, str, str]]
    denied: list[tuple[str, str, str]]

    @classmethod
    def read(cls, log: Path, account: str, namespace: str) -> Self:
        """The requests of the service account `account` in `namespace`."""
        user = f"system:serviceaccount:{namespace}:{account}"
        allowed, denied = set(), []
        for line in log.read_text().splitlines():
            if user not in line:
                continue
            entry = json.loads(line)
            if entry["user"]["username"] != user or "objectRef" not in entry:
                continue
            asked = _asked(entry)
            if entry["annotations"].get(DECISION) == "allow":
                allowed.add(asked)
            else:
                denied.append(asked)
        return cls(allowed, denied)

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
