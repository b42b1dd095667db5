"""A server in this process that implements as much of Hugging Face's hub as fetching needs."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from serving import serving

LFS_SUFFIX = ".safetensors"
STORAGE = "/storage/"
SIGNED = "?X-Amz-Signature=secret"


@dataclass
class Repository:
    """A repository with one branch; each commit is a table of files."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    head: str = ""
    token: str | None = None
    """Who asks must show it."""
    gated: bool = False

    def commit(self, files: dict[str, bytes]) -> str:
        """Add a commit; its id."""
        content = repr(sorted(files.items())).encode()
        self.head = hashlib.sha1(content, usedforsecurity=False).hexdigest()
        self.commits[self.head] = files
        return self.head


@dataclass
class HubServer:
    """Repositories by `models/org/name` and `datasets/org/name`, and the faults to make."""

    endpoint: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    """GETs of files, by name."""
    refusals: int = 0
    """Next requests that are answered by 503."""
    retry_after: str = ""
    """How long such an answer asks to wait, in seconds or as a date."""
    storage_status: int | None = None
    """With what a storage answers, to which files redirect by a signed URL; None: there is none."""
    cuts: int = 0
    """Next GETs of files whose second half does not come."""
    damage: set[str] = field(default_factory=set)
    """Files whose content is not what the tree says."""

    def repository(self, name: str, files: dict[str, bytes]) -> Repository:
        self.repositories[name] = repository = Repository()
        repository.commit(files)
        return repository


@contextmanager
def hub_server() -> Iterator[HubServer]:
    hub = HubServer()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield hub


class _Handler(BaseHTTPRequestHandler):
    state: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def _answer(self, with_body: bool) -> None:
        if self.state.refusals:
            self.state.refusals -= 1
            asked = self.state.retry_after
            self._send(503, headers={"Retry-After": asked} if asked else None)
            return
        if self.path.startswith(STORAGE):
            assert self.state.storage_status is not None
            self._send(self.state.storage_status)
            return
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[0] == "api":
            self._of_api("/".join(parts[1:4]), parts[4:])
            return
        kind = parts.pop(0) if parts[0] == "datasets" else "models"
        repository = self._admitted("/".join([kind, *parts[:2]]))
        if repository is not None:
            self._file(repository, parts[3], "/".join(parts[4:]), with_body)

    def _of_api(self, name: str, rest: list[str]) -> None:
        repository = self._admitted(name)
        if repository is None:
            return
        asked = rest[1] if len(rest) > 1 else "main"
        commit = repository.head if asked == "main" else asked
        if commit not in repository.commits:
            self._send(404, error="RevisionNotFound")
        elif rest[:1] == ["tree"]:
            self._json([_entry(p, d) for p, d in repository.commits[commit].items()])
        else:
            self._json({"id": name.partition("/")[2], "sha": commit, "siblings": []})

    def _admitted(self, name: str) -> Repository | None:
        repository = self.state.repositories.get(name)
        shown = self.headers.get("Authorization")
        if repository is None or (repository.token and shown != f"Bearer {repository.token}"):
            self._send(401, error="RepoNotFound")
            return None
        if repository.gated:
            self._send(403, error="GatedRepo")
            return None
        return repository

    def _file(self, repository: Repository, commit: str, path: str, with_body: bool) -> None:
        data = repository.commits[commit][path]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_entry(path, data)["oid"]}"'}
        if path in self.state.damage:
            data = bytes(len(data))
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if with_body and self.state.storage_status is not None:
            self._send(302, headers={"Location": f"{self.state.endpoint}{STORAGE}{path}{SIGNED}"})
            return
        cut = with_body and self.state.cuts > 0
        self.state.cuts -= cut
        self.state.requests[path] += with_body
        self._send(206 if start else 200, data[start:], headers, with_body, cut=cut)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        with_body: bool = True,
        error: str = "",
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        told = {"Content-Length": str(len(body))} | (headers or {})
        told |= {"X-Error-Code": error} if error else {}
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut


def _entry(path: str, data: bytes) -> dict[str, object]:
    """A file of a tree: a blob of Git, or one beside it that is told by its SHA-256."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": blob}
    if path.endswith(LFS_SUFFIX):
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
    return entry
