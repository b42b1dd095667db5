"""A server that answers the calls of Grafana's HTTP API in `grafana_openapi.yaml`, and no others.

Every call and every answer is checked against the description. The server also does what Grafana
does beyond it, as far as we need: it fills in defaults, uses the token's organization, refuses a
second rule of the same title in a folder, and deletes rules of a group that are not sent again.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from serving import serving

Json = dict[str, Any]
TOKEN = "glsa_test"
ORGANIZATION = 7
API = yaml.safe_load((Path(__file__).parent / "grafana_openapi.yaml").read_text(encoding="utf-8"))


class Refused(Exception):
    """The call is answered with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Held:
    """What the Grafana holds, and what it was asked."""

    datasources: list[Json] = field(default_factory=list)
    folders: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """Method and path of each."""
    failures: list[int] = field(default_factory=list)
    """Statuses that the next calls are answered with instead."""

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith("GET")]

    def get_datasources(self, body: None) -> list[Json]:
        return self.datasources

    def get_folder(self, body: None, uid: str) -> Json:
        return _found(self.folders, uid)

    def post_folder(self, body: Json) -> Json:
        if body["uid"] in self.folders:
            raise Refused(412, "the folder has been changed by someone else")
        self.folders[body["uid"]] = {**body, "version": 1}
        return self.folders[body["uid"]]

    def get_dashboard(self, body: None, uid: str) -> Json:
        return _found(self.dashboards, uid)

    def post_dashboard(self, body: Json) -> Json:
        sent, folder = body["dashboard"], body.get("folderUid", "")
        known = self.dashboards.get(sent["uid"])
        if folder and folder not in self.folders:
            raise Refused(400, "folder not found")
        if known and not body.get("overwrite"):
            raise Refused(412, "A dashboard with the same uid already exists")
        version = known["meta"]["version"] + 1 if known else 1
        saved = {**sent, "id": 1 + len(self.dashboards), "version": version, "weekStart": ""}
        meta = {"folderUid": folder, "version": version}
        self.dashboards[sent["uid"]] = {"dashboard": saved, "meta": meta}
        return {"uid": sent["uid"], "status": "success", "version": version}

    def get_rules(self, body: None) -> list[Json]:
        return list(self.rules.values())

    def delete_rule(self, body: None, uid: str) -> None:
        self.rules.pop(uid, None)

    def put_group(self, body: Json, folder: str, group: str) -> Json:
        _found(self.folders, folder)
        sent = {rule["uid"]: _completed(rule, folder, group) for rule in body["rules"]}
        others = {
            uid: rule
            for uid, rule in self.rules.items()
            if uid not in sent and (rule["folderUID"], rule["ruleGroup"]) != (folder, group)
        }
        titles = [
            r["title"] for r in (*others.values(), *sent.values()) if r["folderUID"] == folder
        ]
        if len(set(titles)) < len(titles):
            raise Refused(409, "rule title under the same organisation and folder should be unique")
        self.rules = others | sent
        return {**body, "rules": list(sent.values())}


ANSWERS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("get", "/api/datasources"): Held.get_datasources,
    ("post", "/api/folders"): Held.post_folder,
    ("get", "/api/folders/{uid}"): Held.get_folder,
    ("get", "/api/dashboards/uid/{uid}"): Held.get_dashboard,
    ("post", "/api/dashboards/db"): Held.post_dashboard,
    ("get", "/api/v1/provisioning/alert-rules"): Held.get_rules,
    ("delete", "/api/v1/provisioning/alert-rules/{uid}"): Held.delete_rule,
    ("put", "/api/v1/provisioning/folder/{folder}/rule-groups/{group}"): Held.put_group,
}


def _found(known: Mapping[str, Json], uid: str) -> Json:
    if uid not in known:
        raise Refused(404, "not found")
    return known[uid]


def _completed(rule: Json, folder: str, group: str) -> Json:
    """The rule as Grafana stores it."""
    if rule["condition"] not in {part["refId"] for part in rule["data"]}:
        raise Refused(400, f"condition {rule['condition']} does not exist")
    data = copy.deepcopy(rule["data"])
    for part in data:
        part["model"] = {"intervalMs": 1_000, "maxDataPoints": 43_200, **part["model"]}
        part["queryType"] = ""
    fixed = {"orgID": ORGANIZATION, "folderUID": folder, "ruleGroup": group, "data": data}
    return {**rule, **fixed, "provenance": "api", "isPaused": False}


def _check(schema: Json | None, value: Any) -> None:
    """Raises Refused (400) where `value` is not as described."""
    if schema is None:
        if value is not None:
            raise Refused(400, "there is no body in this call")
        return
    try:
        jsonschema_rs.validator_for({**schema, "schemas": API["schemas"]}).validate(value)
    except jsonschema_rs.ValidationError as error:
        raise Refused(400, f"{error.instance_path}: {error.message}") from None


def _operation(method: str, path: str) -> tuple[str, Json, dict[str, str]]:
    """The described path that `path` is of, its operation, and its parameters."""
    for described, operations in API["paths"].items():
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", described)
        if (match := re.fullmatch(pattern, path)) and method in operations:
            return described, operations[method], match.groupdict()
    raise Refused(404, f"{method} {path} is no call of Grafana's")


class _Handler(BaseHTTPRequestHandler):
    held: Held

    def _answer(self) -> None:
        method = self.command.lower()
        self.held.calls.append(f"{self.command} {self.path}")
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if self.held.failures:
                raise Refused(self.held.failures.pop(0), "not now")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refused(401, "Unauthorized")
            described, operation, parameters = _operation(method, self.path)
            body = json.loads(data) if data else None
            _check(operation.get("body"), body)
            answer = ANSWERS[method, described](self.held, body, **parameters)
            _check(operation.get("answer"), answer)
            self._send(204 if answer is None else 200, answer)
        except Refused as error:
            self._send(error.status, {"message": str(error)})

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

    def _send(self, status: int, document: Any) -> None:
        data = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Nothing is logged."""


@contextmanager
def grafana_server() -> Iterator[tuple[str, Held]]:
    """Its address, and what it holds: a data source of Prometheus."""
    held = Held(datasources=[{"uid": "prom", "name": "Prometheus", "type": "prometheus"}])
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"held": held}))
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}", held
