"""The measured operators, as processes of this machine, and the resources they use."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from scale.load import wait

NAIVE = Path(__file__).with_name("naive.py")
PORT = 18_099
RETRIES = urllib3.Retry(20, backoff_factor=0.2)
AS_IN_THE_IMAGE = {"MALLOC_ARENA_MAX": "2"}
WRITES = ("POST", "PATCH", "PUT", "DELETE")


@dataclass(frozen=True)
class Sample:
    """Resources that the operator had used at one moment."""

    at: float
    cpu_seconds: float
    api_writes: float
    api_reads: float
    store_calls: float

    def cpu_share_since(self, earlier: "Sample") -> float:
        """Of one core."""
        return (self.cpu_seconds - earlier.cpu_seconds) / (self.at - earlier.at)


class Process:
    """A process of this machine, started by `command`."""

    command: tuple[str, ...]
    environ: dict[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, *self.command], env=self.environ)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def proc(self) -> Path:
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}")

    @property
    def memory(self) -> str:
        pages = int((self.proc / "statm").read_text().split()[1])
        return f"{pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f} MB"

    @property
    def cpu_seconds(self) -> float:
        times = (self.proc / "stat").read_text().rpartition(") ")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


class Naive(Process):
    """The operator of `naive.py`, under Kopf with its defaults."""

    command = ("-m", "kopf", "run", "--all-namespaces", "--quiet", str(NAIVE))


class Operator(Process):
    """LCCP's operator for all namespaces; its installation file is in `folder`."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        path = folder / "installation.yaml"
        path.write_text(yaml.safe_dump(settings))
        self.environ = os.environ | AS_IN_THE_IMAGE | {"LCCP_INSTALLATION": str(path)}
        program = "from lccp_operator.main import main; main()"
        self.command = ("-c", program, "--port", str(PORT), "--log-level", "WARNING")

    def make_ready(self) -> None:
        """Start it, unless it runs, and wait until it is ready."""
        if self.process is None:
            self.start()
            wait(lambda: self._get("/readyz").status == 200)

    def sample(self) -> Sample:
        counts = self._counts()
        return Sample(
            at=time.monotonic(),
            cpu_seconds=self.cpu_seconds,
            api_writes=sum(n for line, n in counts if any(f'"{w}"' in line for w in WRITES)),
            api_reads=sum(n for line, n in counts if '"GET"' in line),
            store_calls=sum(n for line, n in counts if line.startswith("lccp_store_call")),
        )

    def _counts(self) -> list[tuple[str, float]]:
        text = self._get("/metrics").data.decode()
        lines = (line.rpartition(" ") for line in text.splitlines())
        return [(name, float(n)) for name, _, n in lines if "duration_seconds_count" in name]

    def _get(self, path: str) -> Any:
        return urllib3.request("GET", f"http://127.0.0.1:{PORT}{path}", retries=RETRIES)
