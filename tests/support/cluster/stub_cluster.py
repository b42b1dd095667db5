"""A real cluster whose pods are stubs: quick programs that share a folder with this machine.

The pods run the Python of the operator's image. The nodes must see that folder, like those of a
cluster on one machine.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from a_cluster import Namespace, run_document
from helm import VERSION
from operator_process import OperatorProcess, installation
from operator_world import EVERY_TOKENS, manifest_of, report_of

from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.api.merge import Object

PROGRAMS = Path(__file__).parents[1] / "backends" / "stub_programs.py"
IMAGE = f"localhost/lccp-operator:{VERSION}"
PYTHON = "/usr/bin/python3"
CHECKPOINTS_READY = 6


@dataclass(frozen=True)
class StubCluster:
    """The cluster, and the folder `root` that its nodes see too: the store, and what stubs need."""

    api: Cluster
    root: Path

    def make_ready(self) -> None:
        """Lay down the programs and what they write."""
        self.root.chmod(0o777)
        shutil.copy(PROGRAMS, self.root / PROGRAMS.name)
        ready = self.root / "ready"
        ready.mkdir()
        for tokens in range(EVERY_TOKENS, CHECKPOINTS_READY * EVERY_TOKENS + 1, EVERY_TOKENS):
            manifest = manifest_of(tokens)
            for kind, value in (("manifest", manifest), ("report", report_of(manifest))):
                path = ready / f"{kind}-{tokens}.json"
                path.write_bytes(value.to_json())
                path.chmod(0o666)

    def namespace(self) -> Namespace:
        made: Namespace = Namespace.create(self.api, self.root)
        return made

    def document(
        self, namespace: Namespace, *trainer: str, evaluator: tuple[str, ...] = (), **spec: Any
    ) -> Object:
        """A run whose pods are stubs with these options."""
        train = ("trainer", str(EVERY_TOKENS), *trainer)
        evaluate = ("evaluator", str(self.done(namespace)), *evaluator)
        parts = {
            "topology": {"nodes": 1, "podTemplate": self._template("trainer", train)},
            "evaluation": {
                "concurrency": 2,
                "workload": {"podTemplate": self._template("evaluator", evaluate)},
            },
        }
        return run_document("tiny", **parts | spec)

    @contextmanager
    def operated(
        self, kubeconfig: Path, folder: Path, number: int, **more: Any
    ) -> Iterator[list[Namespace]]:
        """So many namespaces, and an operator that looks after them; its log lies in `folder`."""
        made = [self.namespace() for _ in range(number)]
        watched = [namespace.name for namespace in made]
        settings = installation(self.root, namespaces=watched, **more)
        operator = OperatorProcess(folder, kubeconfig, settings).start()
        try:
            yield made
        finally:
            operator.kill()
            for namespace in made:
                self.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")

    def waiting(self, namespace: Namespace, tokens: int, run: str = "tiny") -> tuple[str, ...]:
        """Options of a trainer that waits at `tokens` until it may `go_on`."""
        return ("--wait-at", str(tokens), "--until", str(self._signal(namespace, run)))

    def go_on(self, namespace: Namespace, run: str = "tiny") -> None:
        self._signal(namespace, run).touch()

    def _signal(self, namespace: Namespace, run: str) -> Path:
        return self.root / f"go-{namespace.name}-{run}"

    def steps(self, namespace: Namespace, run: str = "tiny") -> dict[str, list[int]]:
        """Tokens after each step, by writer, in the order in which the writers began."""
        trainings = self.root / namespace.keys(run).trainings
        texts = [(path.parent.name, path.read_text()) for path in trainings.glob("*/history.jsonl")]
        found = {writer: [json.loads(line) for line in text.splitlines()] for writer, text in texts}
        began = sorted(found, key=lambda writer: str(found[writer][0]["at"]))
        return {writer: [step["tokens"] for step in found[writer]] for writer in began}

    def done(self, namespace: Namespace) -> Path:
        """The file with a line for each evaluation that was made."""
        return self.root / f"done-{namespace.name}.txt"

    def evaluated(self, namespace: Namespace) -> list[int]:
        return sorted(int(line) for line in self.done(namespace).read_text().split())

    def _template(self, container: str, arguments: tuple[str, ...]) -> Object:
        folder = str(self.root)
        program = str(self.root / PROGRAMS.name)
        stub = {
            "name": container,
            "image": IMAGE,
            "command": [PYTHON, "-I", "-S", program, *arguments],
            "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
            "volumeMounts": [{"name": "shared", "mountPath": folder}],
        }
        volume = {"name": "shared", "hostPath": {"path": folder}}
        pod = {"containers": [stub], "volumes": [volume], "terminationGracePeriodSeconds": 2}
        return {"spec": pod}


def kill_process(pod: Object) -> None:
    """SIGKILL the pod's program: the processes of the nodes are processes of this machine."""
    mark = f"LCCP_POD_UID={pod['metadata']['uid']}".encode()
    found = [path for path in Path("/proc").glob("[0-9]*/environ") if mark in _environ(path)]
    assert found, f"no process of pod {pod['metadata']['name']} is seen"
    for path in found:
        os.kill(int(path.parent.name), signal.SIGKILL)


def _environ(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:
        return []
