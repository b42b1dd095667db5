"""A real S3 server for tests: SeaweedFS on this machine, in a temporary folder."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lccp.api.invocation import StoreConfig
from lccp.contract.errors import LccpError
from lccp.store.open import open_store, probe
from lccp.store.s3.client import Patience

QUICK = Patience(connect_seconds=2, read_seconds=10, retries=3, backoff_seconds=0.01)
"""Of tests whose server answers: a busy machine takes seconds at times."""

IMPATIENT = Patience(connect_seconds=1, read_seconds=1, retries=1, backoff_seconds=0.01)
"""Of tests whose server never answers well."""

_BUCKET = "lccp"
_START_SECONDS = 120
_GRPC_OFFSET = 10_000
_SOCKETS_DIRECTORY = Path("/tmp")


@dataclass
class _Process:
    """The server's process, whose data outlive it."""

    command: list[str]
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self, environ: dict[str, str]) -> None:
        with self.log.open("ab") as output:
            self.running = subprocess.Popen(self.command, env=environ, stdout=output, stderr=output)

    def has_ended(self) -> bool:
        return self.running is None or self.running.poll() is not None

    def kill(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running.wait()


@dataclass(frozen=True)
class SeaweedFS:
    """A server: endpoint, keys, and a bucket that exists."""

    endpoint: str
    directory: Path
    process: _Process
    access_key: str = "lccp-test-access"
    secret_key: str = "lccp-test-secret"
    bucket: str = _BUCKET

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs in its environment to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }

    def start(self) -> None:
        """Start it, on the data that are there; until it takes and gives objects."""
        self.process.start(os.environ | self.environ | {"GOMEMLIMIT": "384MiB"})
        deadline = time.monotonic() + _START_SECONDS
        keys = self.credentials(self.directory / "keys")
        while (fault := self._fault(keys)) is not None:
            if self.process.has_ended() or time.monotonic() > deadline:
                tail = self.process.log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"SeaweedFS did not start: {fault}\n{tail}") from fault
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once; its data stay."""
        self.process.kill()

    def _fault(self, keys: Path) -> LccpError | None:
        try:
            probe(open_store(self.config("start", keys)))
        except LccpError as error:
            return error
        return None

    def credentials(self, directory: Path) -> Path:
        """`directory`, made, with the keys as a mounted Secret holds them."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "accessKey").write_text(self.access_key)
        (directory / "secretKey").write_text(self.secret_key)
        return directory

    def config(self, prefix: str, credentials_directory: Path | None = None) -> StoreConfig:
        """A store below `prefix`; keys from `environ` unless a folder is given."""
        return StoreConfig(
            url=f"s3://{self.bucket}/{prefix}",
            endpoint=self.endpoint,
            credentials_directory=credentials_directory and str(credentials_directory),
        )


def find_weed() -> str | None:
    """The program `weed`, beside this Python or on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def running_seaweedfs(
    weed: str, directory: Path, address: str = "127.0.0.1"
) -> Iterator[SeaweedFS]:
    """A server at `address`, with its data below `directory`, started; killed at the end."""
    ports = master, volume, filer, s3, admin = _free_ports(address, 5)
    data = directory / "data"
    data.mkdir()
    command = [
        *(weed, "-logtostderr=true", "mini", f"-dir={data}", f"-bucket={_BUCKET}"),
        *(f"-ip={address}", f"-ip.bind={address}", "-master.telemetry=false"),
        *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-s3.port={s3}", f"-admin.port={admin}", "-admin.ui=false", "-webdav=false"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"),
    ]
    process = _Process(command, directory / "weed.log")
    server = SeaweedFS(f"http://{address}:{s3}", directory, process)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        _remove_sockets(ports)


def _free_ports(address: str, count: int) -> list[int]:
    """Ports that are free, as are their neighbours for gRPC, below those that the kernel gives."""
    candidates = random.Random(os.getpid()).sample(range(20_000, 22_700), 200)
    free = (
        port
        for port in candidates
        if _is_free(address, port) and _is_free(address, port + _GRPC_OFFSET)
    )
    return [port for port, _ in zip(free, range(count), strict=False)]


def _remove_sockets(ports: Iterable[int]) -> None:
    for port in ports:
        for pattern in (f"seaweedfs-*-{port}.sock", f"seaweedfs-*-{port + _GRPC_OFFSET}.sock"):
            for path in _SOCKETS_DIRECTORY.glob(pattern):
                path.unlink(missing_ok=True)


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe_socket:
        try:
            probe_socket.bind((address, port))
        except OSError:
            return False
        return True
