"""Keys from a mounted Secret, the environment, or a pod's identity (by a token service)."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from seaweedfs import QUICK, SeaweedFS
from serving import serving

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.logs import LogFormat, configure
from lccp.store.open import open_store
from lccp.store.s3.credentials import IDENTITIES, KEYS, MountedCredentials, provider_of
from lccp.store.s3.store import S3Store

CONFIG = StoreConfig(url="s3://bucket/prefix")
TOKEN = "a-token-that-nobody-may-read"
ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>key-{number}</AccessKeyId>
<SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


class TokenService(ThreadingHTTPServer):
    """Gives keys that last `seconds`, or answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, list[str]]] = []
        self.status = 200
        self.seconds = 3_600


class _Handler(BaseHTTPRequestHandler):
    server: TokenService

    def do_POST(self) -> None:
        self.server.asked.append(parse_qs(urlsplit(self.path).query))
        until = datetime.now(UTC) + timedelta(seconds=self.server.seconds)
        body = ANSWER.format(number=len(self.server.asked), until=f"{until:%Y-%m-%dT%H:%M:%SZ}")
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenService]:
    """The token service, and the environment of a pod whose ServiceAccount has a role."""
    for name in (*KEYS, *IDENTITIES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text(TOKEN)
    made = TokenService()
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/lccp")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{made.server_port}")
    with serving(made):
        yield made


def test_a_pod_with_a_role_needs_no_secret(service: TokenService) -> None:
    provider = provider_of(CONFIG)
    first, again = provider.retrieve(), provider.retrieve()

    assert (first.access_key, first.secret_key, first.session_token) == (
        *("key-1", "secret", "session"),
    )
    assert again is first
    (asked,) = service.asked
    assert asked["WebIdentityToken"] == [TOKEN]
    assert asked["RoleArn"] == ["arn:aws:iam::1:role/lccp"]


def test_keys_are_renewed_before_they_expire(service: TokenService) -> None:
    service.seconds = 1
    provider = provider_of(CONFIG)

    assert [provider.retrieve().access_key for _ in range(2)] == ["key-1", "key-2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "error"), [(403, InvalidInput), (400, InvalidInput), (503, StoreUnavailable)]
)
def test_a_refusal_holds_no_token(
    service: TokenService, status: int, error: type[Exception]
) -> None:
    service.status = status

    with pytest.raises(error, match="store credentials: ") as refusal:
        provider_of(CONFIG).retrieve()
    assert TOKEN not in str(refusal.value)


@pytest.mark.long
@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
def test_no_log_holds_a_token_or_a_signature(
    service: TokenService,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    level: str,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    configure(LogFormat.TEXT, level)
    with pytest.raises(StoreUnavailable):
        provider_of(CONFIG).retrieve()
    for name in KEYS:
        monkeypatch.setenv(name, "given")
    with pytest.raises(StoreUnavailable):
        open_store(StoreConfig(url="s3://bucket/p", endpoint="http://127.0.0.1:1")).put_if_absent(
            "k", b""
        )
    logging.getLogger("lccp").warning("logs are read")
    said = capsys.readouterr().err
    assert "logs are read" in said
    assert TOKEN not in said
    assert "X-Amz-Signature" not in said


def test_a_token_that_is_not_there_is_told(service: TokenService, tmp_path: Path) -> None:
    (tmp_path / "token").unlink()

    with pytest.raises(InvalidInput, match="its token can't be read"):
        provider_of(CONFIG).retrieve()


def test_given_keys_go_before_an_identity(
    service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "given")

    assert provider_of(CONFIG).retrieve().access_key == "given"
    assert service.asked == []


def test_without_any_it_is_said_what_could_be_given(
    service: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_WEB_IDENTITY_TOKEN_FILE")

    with pytest.raises(InvalidInput, match=r"checkpoints\.secretRef"):
        provider_of(CONFIG)


@pytest.mark.s3
def test_credentials_come_from_the_environment(
    seaweedfs: SeaweedFS, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environ.items():
        monkeypatch.setenv(name, value)
    store = S3Store(seaweedfs.config(prefix), QUICK)
    store.put("a", b"1")
    assert store.get("a") == b"1"


@pytest.mark.s3
def test_late_credentials_are_looked_for_at_each_request(
    seaweedfs: SeaweedFS, prefix: str, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    store = open_store(seaweedfs.config(prefix, keys), patience=QUICK, late_credentials=True)
    for _ in range(2):
        with pytest.raises(InvalidInput, match="must contain the files accessKey and secretKey"):
            store.put_if_absent("a", b"1")

    seaweedfs.credentials(keys)
    store.put_if_absent("a", b"1")
    assert store.get("a") == b"1"


@pytest.mark.s3
def test_a_rotated_secret_is_taken_up(seaweedfs: SeaweedFS, prefix: str, tmp_path: Path) -> None:
    old, new, mounted = tmp_path / "..1", tmp_path / "..2", tmp_path / "mounted"
    seaweedfs.credentials(old)
    (old / "secretKey").write_text("expired")
    seaweedfs.credentials(new)
    mounted.mkdir()
    data = mounted / "..data"
    data.symlink_to(old)
    for name in ("accessKey", "secretKey"):
        (mounted / name).symlink_to(Path("..data") / name)
    store = S3Store(seaweedfs.config(prefix, mounted), QUICK)
    with pytest.raises(InvalidInput, match="refuses these credentials"):
        store.list("")
    (mounted / "..next").symlink_to(new)
    (mounted / "..next").rename(data)
    assert store.list("") == []


def test_both_keys_come_from_one_version_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        for name in ("accessKey", "secretKey"):
            (tmp_path / f"..{version}" / name).write_text(f"{name}{version}")
    data = tmp_path / "..data"
    data.symlink_to("..1")
    for name in ("accessKey", "secretKey"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    read_text = Path.read_text

    def read_then_rotate(path: Path) -> str:
        text = read_text(path)
        data.unlink()
        data.symlink_to("..2")
        return text

    monkeypatch.setattr(Path, "read_text", read_then_rotate)
    first, second = (MountedCredentials(tmp_path).retrieve() for _ in range(2))
    assert (first.access_key, first.secret_key) == ("accessKey1", "secretKey1")
    assert (second.access_key, second.secret_key) == ("accessKey2", "secretKey2")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"accessKey": b"a"}, "secretKey: No such file or directory"),
        ({"secretKey": b"a"}, "accessKey: No such file or directory"),
        ({"accessKey": b"a", "secretKey": b"\n"}, "is empty"),
        ({"accessKey": b"\xff", "secretKey": b"a"}, "not text"),
    ],
)
def test_credentials_that_are_not_whole_are_refused(
    tmp_path: Path, files: dict[str, bytes], sentence: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=sentence):
        provider_of(StoreConfig(url="s3://bucket", credentials_directory=str(tmp_path)))


# --- the role of a node, by its metadata service ---


class MetadataService(ThreadingHTTPServer):
    """Instance metadata of version 2: it wants a token of its own, and gives the role's keys."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Metadata)
        self.given = 0
        self.seconds = 3_600
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Metadata(BaseHTTPRequestHandler):
    server: MetadataService

    def do_PUT(self) -> None:
        wanted = "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self._send(TOKEN if wanted and self.path == "/latest/api/token" else None)

    def do_GET(self) -> None:
        below = self.path.removeprefix("/latest/meta-data/iam/security-credentials/")
        if self.headers["X-aws-ec2-metadata-token"] != TOKEN:
            self._send(None)
        elif below == "lccp-role":
            self.server.given += 1
            until = datetime.now(UTC) + timedelta(seconds=self.server.seconds)
            keys = {"AccessKeyId": f"key-{self.server.given}", "SecretAccessKey": "secret"}
            keys |= {"Token": "session", "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
            self._send(json.dumps({"Code": "Success"} | keys))
        else:
            self._send(None if below else "lccp-role")

    def _send(self, body: str | None) -> None:
        self.send_response(401 if body is None else self.server.status)
        self.send_header("Content-Length", str(len(body or "")))
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[MetadataService]:
    for name in (*KEYS, *IDENTITIES):
        monkeypatch.delenv(name, raising=False)
    made = MetadataService()
    with serving(made):
        yield made


def on_a_node(metadata: MetadataService) -> StoreConfig:
    return CONFIG.model_copy(update={"instance_metadata": metadata.url})


def test_a_node_with_a_role_needs_no_secret(metadata: MetadataService) -> None:
    provider = provider_of(on_a_node(metadata))
    first, again = provider.retrieve(), provider.retrieve()

    assert (first.access_key, first.secret_key, first.session_token) == (
        *("key-1", "secret", "session"),
    )
    assert again is first


def test_keys_of_a_node_are_renewed_before_they_expire(metadata: MetadataService) -> None:
    metadata.seconds = 1
    provider = provider_of(on_a_node(metadata))

    assert [provider.retrieve().access_key for _ in range(2)] == ["key-1", "key-2"]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "error"), [(403, InvalidInput), (503, StoreUnavailable)])
def test_a_metadata_service_that_refuses_is_told(
    metadata: MetadataService, status: int, error: type[Exception]
) -> None:
    metadata.status = status

    with pytest.raises(error, match=r"store credentials: .*the node's role") as refusal:
        provider_of(on_a_node(metadata)).retrieve()
    assert TOKEN not in str(refusal.value)


def test_a_pods_own_identity_goes_before_its_nodes(
    service: TokenService,
    metadata: MetadataService,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))

    provider_of(on_a_node(metadata)).retrieve()

    assert (len(service.asked), metadata.given) == (1, 0)


def test_no_metadata_service_is_asked_unless_it_is_named(metadata: MetadataService) -> None:
    with pytest.raises(InvalidInput, match="has no credentials"):
        provider_of(CONFIG)
    assert metadata.given == 0
