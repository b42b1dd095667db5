"""Both stores, each empty and separate for every test, and a certificate for servers."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_proxy import FaultyProxy, faulty_proxy
from seaweedfs import QUICK, SeaweedFS

from lccp.store.file import FileStore
from lccp.store.port import Store
from lccp.store.s3.store import S3Store


@pytest.fixture(scope="session")
def keys_directory(seaweedfs: SeaweedFS, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seaweedfs.credentials(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, its own CA, and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
        *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
        *("-keyout", str(key), "-out", str(certificate)),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    return certificate


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path, prefix: str) -> Store:
    if request.param == "file":
        root = tmp_path / "store"
        root.mkdir()
        return FileStore(root)
    return request.getfixturevalue("s3_store")


@pytest.fixture
def s3_store(seaweedfs: SeaweedFS, keys_directory: Path, prefix: str) -> S3Store:
    return S3Store(seaweedfs.config(prefix, keys_directory), QUICK)


@pytest.fixture(scope="session")
def running_proxy(seaweedfs: SeaweedFS) -> Iterator[FaultyProxy]:
    with faulty_proxy(seaweedfs.endpoint) as running:
        yield running


@pytest.fixture
def proxy(running_proxy: FaultyProxy) -> FaultyProxy:
    """A proxy before the S3 server that makes no faults yet."""
    running_proxy.reset()
    return running_proxy


@pytest.fixture
def faulty_store(
    seaweedfs: SeaweedFS, proxy: FaultyProxy, keys_directory: Path, prefix: str
) -> S3Store:
    """A store behind `proxy`; its region is known, so that no request asks for it."""
    config = seaweedfs.config(prefix, keys_directory)
    changes = {"endpoint": proxy.endpoint, "region": "us-east-1"}
    return S3Store(config.model_copy(update=changes), QUICK)
