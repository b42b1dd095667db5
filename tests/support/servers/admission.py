"""A mutating admission webhook of an API server on this machine."""

import base64
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from apiserver import ApiServer, wait
from serving import serving

PATCHED = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
HALVED = [
    {"op": "replace", "path": f"/spec/{field}", "value": 1}
    for field in ("completions", "parallelism")
]
"""Makes one pod of a gang of two."""

SUBJECT = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")


@dataclass
class Webhook:
    """It changes new Jobs of one namespace by `patch` (JSON patch), and answers after `seconds`.

    It also sees changes of runs and of their status, which it leaves as they are.
    """

    patch: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    delayed: str = "jobs"
    """The resource whose requests it answers so late."""
    seen: list[bool] = field(default_factory=list)
    """For each request of that resource, whether it was a dry run."""

    def answer(self, review: dict[str, Any]) -> dict[str, Any]:
        request = review["request"]
        resource, part = request["resource"]["resource"], request.get("subResource")
        asked = f"{resource}/{part}" if part else resource
        if asked == self.delayed:
            self.seen.append(bool(request.get("dryRun")))
            time.sleep(self.seconds)
        response = {"uid": request["uid"], "allowed": True}
        if self.patch and asked == "jobs":
            encoded = base64.b64encode(json.dumps(self.patch).encode()).decode()
            response |= {"patchType": "JSONPatch", "patch": encoded}
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}


@contextmanager
def admission(
    server: ApiServer, namespace: str, folder: Path, timeout_seconds: int = 10
) -> Iterator[Webhook]:
    """The webhook, registered until the end of the block; `folder` takes its certificate."""
    webhook, certificate, key = Webhook(), folder / "webhook.crt", folder / "webhook.key"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *SUBJECT)
    files = ("-keyout", str(key), "-out", str(certificate))
    subprocess.run([*made, *files], check=True, capture_output=True)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(webhook.answer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    client = {
        "url": f"https://127.0.0.1:{http.server_address[1]}/",
        "caBundle": base64.b64encode(certificate.read_bytes()).decode(),
    }
    document = _configuration(namespace, client, timeout_seconds)
    with serving(http):
        assert server.call("POST", PATCHED, document).code == 201
        try:
            wait(lambda: _is_called(server, namespace, webhook), "the webhook is not called")
            webhook.seen.clear()
            yield webhook
        finally:
            server.call("DELETE", f"{PATCHED}/{namespace}")


def _is_called(server: ApiServer, namespace: str, webhook: Webhook) -> bool:
    """Whether a dry run reaches it: a while after its registration."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "none:1"}]}
    job = {"metadata": {"name": "probe"}, "spec": {"template": {"spec": pod}}}
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs?dryRun=All"
    assert server.call("POST", path, job).code == 201
    return bool(webhook.seen)


def _configuration(namespace: str, client: dict[str, str], seconds: int) -> dict[str, Any]:
    jobs = {"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["jobs"]}
    runs = {"apiGroups": ["lccp.io"], "apiVersions": ["*"], "resources": ["lccpruns", "lccpruns/*"]}
    hook = {
        "name": "changes.example.org",
        "clientConfig": client,
        "rules": [jobs | {"operations": ["CREATE"]}, runs | {"operations": ["UPDATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": seconds,
    }
    return {"metadata": {"name": namespace}, "webhooks": [hook]}


def _handler(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = json.dumps(answer(json.loads(body))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler
