"""Folder, dashboards and alert rules, written if they differ from Grafana's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from lccp.contract.errors import InvalidInput, NotFound
from lccp_exporter.dashboards.render import BOARDS
from lccp_exporter.grafana.client import Grafana, Json
from lccp_exporter.grafana.rules import UID_PREFIX, rule_groups

FOLDER_UID = "lccp"
RULES = "/api/v1/provisioning/alert-rules"
MESSAGE = "lccp grafana push"
ASSIGNED = ("orgID",)
"""Fields of a rule that Grafana fills in automatically."""


@dataclass(frozen=True)
class PushResult:
    """The result for one object."""

    what: Literal["folder", "dashboard", "alerts", "alert"]
    name: str
    became: Literal["created", "updated", "unchanged", "deleted"]


def push(
    grafana: Grafana, folder: str, alerts: bool, source_uid: str | None, runbook_url: str
) -> Iterator[PushResult]:
    """Write the folder titled `folder` and its contents; a repetition changes nothing.

    With `alerts`, alert rules that query the data source `source_uid`; None: Prometheus's only one.
    Raises InvalidInput, NotFound, GrafanaUnavailable: the data source is looked up before
    anything is written.
    """
    groups: list[Json] = []
    if alerts:
        source = _only_prometheus(grafana) if source_uid is None else source_uid
        groups = list(rule_groups(FOLDER_UID, source, runbook_url))
    yield _folder(grafana, folder)
    for board in BOARDS.values():
        yield _dashboard(grafana, board.json())
    if alerts:
        yield from _alerts(grafana, groups)


def _only_prometheus(grafana: Grafana) -> str:
    """UID of the data source of Prometheus: the only one, or the default of several."""
    sources = [one for one in grafana.get("/api/datasources") if one["type"] == "prometheus"]
    chosen = [one for one in sources if one.get("isDefault")] if len(sources) > 1 else sources
    if len(chosen) != 1:
        names = ", ".join(f"{one['uid']} ({one['name']})" for one in sources) or "none"
        raise InvalidInput(
            f"{grafana.url}: alert rules need one data source of Prometheus; there are: {names}. "
            "Give one with --data-source, or --no-alerts"
        )
    return str(chosen[0]["uid"])


def _folder(grafana: Grafana, title: str) -> PushResult:
    """The folder; an existing one keeps its title, which somebody may have changed."""
    try:
        known = grafana.get(f"/api/folders/{FOLDER_UID}")
    except NotFound:
        grafana.post("/api/folders", {"uid": FOLDER_UID, "title": title})
        return PushResult("folder", title, "created")
    return PushResult("folder", known["title"], "unchanged")


def _dashboard(grafana: Grafana, wanted: Json) -> PushResult:
    try:
        known = grafana.get(f"/api/dashboards/uid/{wanted['uid']}")
    except NotFound:
        known = None
    content = {key: value for key, value in wanted.items() if key != "id"}
    there = {"dashboard": content, "meta": {"folderUid": FOLDER_UID}}
    if holds(known, there):
        return PushResult("dashboard", wanted["title"], "unchanged")
    body = {"dashboard": wanted, "folderUid": FOLDER_UID, "overwrite": True, "message": MESSAGE}
    grafana.post("/api/dashboards/db", body)
    return PushResult("dashboard", wanted["title"], "updated" if known else "created")


def _alerts(grafana: Grafana, groups: list[Json]) -> Iterator[PushResult]:
    """The groups, then our rules that are no longer in any of them."""
    known = {rule["uid"]: rule for rule in grafana.get(RULES)}
    for group in groups:
        yield _group(grafana, group, known)
    wanted = {rule["uid"] for group in groups for rule in group["rules"]}
    for uid, rule in known.items():
        ours = uid.startswith(UID_PREFIX) and rule["folderUID"] == FOLDER_UID
        if ours and uid not in wanted:
            grafana.delete(f"{RULES}/{quote(uid, safe='')}")
            yield PushResult("alert", rule["title"], "deleted")


def _group(grafana: Grafana, group: Json, known: dict[str, Json]) -> PushResult:
    title = group["title"]
    there = [uid for uid, rule in known.items() if _place(rule) == (FOLDER_UID, title)]
    same = all(_unchanged(known.get(rule["uid"]), rule) for rule in group["rules"])
    if same and len(there) == len(group["rules"]):
        return PushResult("alerts", title, "unchanged")
    grafana.put(f"/api/v1/provisioning/folder/{FOLDER_UID}/rule-groups/{quote(title)}", group)
    return PushResult("alerts", title, "updated" if there else "created")


def _place(rule: Json) -> tuple[str, str]:
    return rule["folderUID"], rule["ruleGroup"]


def _unchanged(known: Json | None, wanted: Json) -> bool:
    own = {key: value for key, value in wanted.items() if key not in ASSIGNED}
    return known is not None and holds(known, own)


def holds(known: Any, wanted: Any) -> bool:
    """`known` contains all of `wanted`; additional fields are defaults that Grafana filled in."""
    if isinstance(wanted, dict):
        return isinstance(known, dict) and all(
            key in known and holds(known[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(known, list) or len(known) != len(wanted):
            return False
        return all(holds(k, w) for k, w in zip(known, wanted, strict=True))
    return bool(known == wanted)
