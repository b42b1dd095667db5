"""Helm as tests use it: the rendered chart, or the message that refuses values."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "lccp"
RELEASE = "lccp"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NAMESPACE = "lccp-system"
Object = dict[str, Any]


@dataclass(frozen=True)
class Helm:
    """The program, run on this repository's chart."""

    program: str

    def lint(self, values: Path) -> str:
        """Output of a strict lint. Fails the test if there is a complaint."""
        done = self._run("lint", str(CHART), "--strict", "--values", str(values))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def render(self, values: Path, namespace: str = NAMESPACE, *options: str) -> list[Object]:
        """All objects of a release in `namespace`, in the order that Helm applies them."""
        done = self._template(values, namespace, options)
        assert done.returncode == 0, done.stderr
        return [one for one in yaml.load_all(done.stdout, LOADER) if one]

    def refusal(self, values: Path, *settings: str) -> str:
        """What Helm says to `settings` (`name=value`) besides `values`; empty if it takes them."""
        options = [word for setting in settings for word in ("--set-json", setting)]
        done = self._template(values, NAMESPACE, options)
        return "" if done.returncode == 0 else done.stderr

    def administer(self, kubeconfig: Path, verb: str, release: str, *words: str) -> str:
        """Output of `helm install`, `upgrade` or `uninstall` on a real API server."""
        done = self._run(verb, release, *words, "--kubeconfig", str(kubeconfig))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _template(
        self, values: Path, namespace: str, options: Iterable[str]
    ) -> subprocess.CompletedProcess[str]:
        where = ("--namespace", namespace, "--values", str(values))
        return self._run("template", RELEASE, str(CHART), *where, *options)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [self.program, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def pod_templates(objects: Iterable[Object]) -> list[Object]:
    """Every pod that `objects` are or make, as a Pod."""
    pods = []
    for one in objects:
        template = one if one["kind"] == "Pod" else one.get("spec", {}).get("template")
        if template and "containers" in template.get("spec", {}):
            meta = {"name": one["metadata"]["name"], "labels": template["metadata"]["labels"]}
            pods.append(
                {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
            )
    return pods
