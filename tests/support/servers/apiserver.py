"""A real API server on 127.0.0.1 (etcd and kube-apiserver from KUBEBUILDER_ASSETS), and a client.

There are no nodes and no controllers: it proves only what an API server itself does, such as
validation, defaulting, pruning and server-side apply.
"""

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from serving import free_port

TOKEN = "test-administrator"
START_SECONDS = 60
CERTIFICATE = "server.crt"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """Status code and body of one response."""

    code: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class ApiServer:
    """The server's address, a kubeconfig of its administrator, and the folder of its programs."""

    url: str
    kubeconfig: Path
    programs: Path
    pool: urllib3.PoolManager

    def call(self, method: str, path: str, body: Any = None, kind: str | None = None) -> Answer:
        """One request as administrator; `body` goes as JSON, with content type `kind`."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind or "application/json"}
        data = None if body is None else json.dumps(body).encode()
        response = self.pool.request(method, f"{self.url}{path}", body=data, headers=headers)
        is_json = response.headers["Content-Type"] == "application/json"
        body = json.loads(response.data) if is_json else {"message": response.data.decode()}
        return Answer(response.status, body)

    def is_ready(self) -> bool:
        """Whether it answers that it is ready; every component of it, after its start."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return self.pool.request("GET", f"{self.url}/readyz", headers=headers).status == 200
        return False

    def kubectl(self, *arguments: str) -> str:
        """Output of kubectl, run as administrator."""
        return _run(f"{self.programs}/kubectl", f"--kubeconfig={self.kubeconfig}", *arguments)

    def install_crd(self, crd: dict[str, Any]) -> None:
        """Apply `crd` and wait until its objects are served."""
        name = crd["metadata"]["name"]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
        applied = self.call("PATCH", f"{path}?fieldManager=test&force=true", crd, APPLY)
        assert applied.code in (200, 201), applied.message
        wait(lambda: _established(self.call("GET", path).body), "the CRD is not established")


def _established(crd: dict[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def wait(ready: Callable[[], bool], complaint: str, log: Path | None = None) -> None:
    """Until `ready` says so; after a minute fail with `complaint` and the end of `log`."""
    end = time.monotonic() + START_SECONDS
    while not ready():
        assert time.monotonic() < end, f"{complaint}\n{log.read_text()[-3000:] if log else ''}"
        time.sleep(0.05)


@contextlib.contextmanager
def running(programs: Path) -> Iterator[ApiServer]:
    """The server, from start to end of the block."""
    with (
        tempfile.TemporaryDirectory(prefix="lccp-apiserver-") as name,
        contextlib.ExitStack() as stack,
    ):
        folder = Path(name)
        client, peer, port = (free_port() for _ in range(3))
        stack.enter_context(_process(_etcd(programs, folder, client, peer), folder / "etcd.log"))
        log = folder / "kube-apiserver.log"
        stack.enter_context(_process(_apiserver(programs, folder, client, port), log))
        url, certificate = f"https://127.0.0.1:{port}", folder / CERTIFICATE
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(url, certificate)))
        pool = urllib3.PoolManager(ca_certs=str(certificate), timeout=30, retries=False)
        stack.callback(pool.clear)
        server = ApiServer(url, kubeconfig, programs, pool)
        wait(server.is_ready, "the API server did not start", log)
        yield server


def _etcd(programs: Path, folder: Path, client: int, peer: int) -> list[str]:
    return [
        str(programs / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]


def _apiserver(programs: Path, folder: Path, etcd: int, port: int) -> list[str]:
    certificate, key, tokens = folder / CERTIFICATE, folder / "server.key", folder / "tokens.csv"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(certificate))
    _run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files)
    tokens.write_text(f'{TOKEN},administrator,1,"system:masters"\n')
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://127.0.0.1",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",
    ]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout


def _kubeconfig(url: str, certificate: Path) -> dict[str, Any]:
    cluster = {"server": url, "certificate-authority": str(certificate)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.kill()
            process.wait()
