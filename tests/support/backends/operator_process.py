"""The operator as a real process, forked from one with its modules loaded: quick to start."""

import faulthandler
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import urllib3
import yaml
from serving import free_port

from lccp.logs import LogFormat

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["lccp_operator.kubernetes.serve"])


def installation(root: Path, **more: Any) -> dict[str, Any]:
    """An installation file whose one store is the folder `root`."""
    return {
        "stores": [{"name": "default", "url": f"file://{root}"}],
        "trainerImage": "localhost/trainer:1",
        "evaluatorImage": "localhost/evaluator:1",
        "operatorImage": "localhost/operator:1",
        **more,
    }


def _operate(installation: str, kubeconfig: str, port: int, log: str) -> None:
    from kubernetes.config import kube_config

    from lccp_operator.kubernetes.installation import CONFIG_VARIABLE
    from lccp_operator.main import operate

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.umask(0)
    faulthandler.register(signal.SIGUSR1)
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = kubeconfig
    os.environ[CONFIG_VARIABLE] = installation
    operate(port=port, log_format=LogFormat.TEXT, log_level="INFO")


@dataclass
class OperatorProcess:
    """One replica: its files lie in `folder`, its cluster is `kubeconfig`'s."""

    folder: Path
    kubeconfig: Path
    installation: dict[str, Any]
    port: int = 0
    process: ForkServerProcess | None = field(default=None, init=False)

    def start(self) -> "OperatorProcess":
        """Start it, or start it again."""
        self.port = free_port()
        path = self.folder / f"installation-{self.port}.yaml"
        path.write_text(yaml.safe_dump(self.installation))
        arguments = (str(path), str(self.kubeconfig), self.port, str(self.log))
        self.process = _context.Process(target=_operate, args=arguments, daemon=True)
        self.process.start()
        return self

    @property
    def log(self) -> Path:
        return self.folder / "operator.log"

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer of its endpoint; status 0 for none."""
        try:
            answer = urllib3.request(
                "GET", f"http://127.0.0.1:{self.port}{path}", timeout=5, retries=False
            )
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode()

    def metric(self, name: str) -> float:
        """A value of /metrics, by its name and labels as they are written there; else 0."""
        lines = (line.rpartition(" ") for line in self.get("/metrics")[1].splitlines())
        return next((float(value) for found, _, value in lines if found == name), 0.0)

    def wait_ready(self) -> "OperatorProcess":
        wait_for(lambda: self.get("/readyz")[0] == 200, "the operator is not ready", self.log)
        return self

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def freeze(self) -> None:
        """SIGSTOP, and wait until the last of its threads has stopped."""
        self.signal(signal.SIGSTOP)
        wait_for(lambda: set(_thread_states(self.pid)) == {"T"}, "it does not stop")

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.join(10)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self.process.exitcode if self.process is not None else None

    def stop(self) -> int | None:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        self.process.join(30)
        return self.process.exitcode


def wait_for(
    true: Callable[[], Any], complaint: str, log: Path | None = None, seconds: float = 40.0
) -> Any:
    """What `true` returns once that is true; fails with `complaint` and the end of `log`."""
    end = time.monotonic() + seconds
    while not (found := true()):
        told = log.read_text()[-3000:] if log is not None and log.exists() else ""
        assert time.monotonic() < end, f"{complaint}\n{told}"
        time.sleep(0.05)
    return found


def _thread_states(pid: int) -> Iterator[str]:
    """As `ps` shows them; one that ends meanwhile has none."""
    for path in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_text().rpartition(")")[2].split()[0]
