"""The three steps of an external suite: fetch the checkpoint, run its program, report its signals.

In a cluster, each is a container of one pod; on one machine, one process does all of them.
"""

import logging
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lccp.api.invocation import Invocation
from lccp.api.objects.manifest import Manifest
from lccp.api.spec.evaluation import ExternalSuite
from lccp.contract.errors import Conflict, InvalidInput, LccpError
from lccp.store import objects
from lccp.store.directory import download_directory
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_evaluator.checkpoint import checkpoint_directory, read_manifest
from lccp_evaluator.external.signals import read_signals, report_of

logger = logging.getLogger("lccp_evaluator.external")

ALL = ("fetch", "run", "report")
CHECKPOINT, SIGNALS = "LCCP_CHECKPOINT", "LCCP_SIGNALS"
"""Variables with the paths of the checkpoint's directory and the file of signals to write."""

REFERENCE = re.compile(r"\$(\$|\((?P<name>[A-Za-z_][A-Za-z0-9_]*)\))")


def expanded(argument: str, environ: Mapping[str, str]) -> str:
    """`argument` with its `$(NAME)` replaced as in a container's command: unknown ones stay."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return "$" if name is None else environ.get(name, match[0])

    return REFERENCE.sub(value, argument)


@dataclass(frozen=True)
class ExternalEvaluation:
    """The evaluation of one checkpoint by an external suite."""

    suite: ExternalSuite
    store: Store
    keys: RunKeys
    manifest: Manifest
    base: Path
    """Folder in which the program runs on this machine."""

    @classmethod
    def of(cls, invocation: Invocation, suite: ExternalSuite, store: Store) -> Self:
        """The evaluation that `invocation` requests. Raises InvalidInput without its checkpoint."""
        keys = RunKeys(invocation.namespace, invocation.name)
        manifest = read_manifest(store, keys, invocation.tokens or 0)
        return cls(suite, store, keys, manifest, Path(invocation.base_directory))

    def do(self, steps: Sequence[str], environ: Mapping[str, str]) -> None:
        """Do the steps: `fetch`, `report`, or all. An existing report is kept.

        Raises:
            InvalidInput: no such step; the checkpoint is damaged; the signals are invalid.
            LccpError: the program can't be started, or ended with another exit code than 0.
        """
        match tuple(steps):
            case _ if self.store.stat(self._key):
                logger.info("%s: already exists", self._key)
            case ("fetch",):
                self.fetch(Path(environ[CHECKPOINT]))
            case ("report",):
                self.report(Path(environ[SIGNALS]))
            case done if done == ALL:
                self._all(environ)
            case _:
                raise InvalidInput(f"lccp-evaluate: there is no step {' '.join(steps)}")

    def fetch(self, folder: Path) -> None:
        """Download the checkpoint into `folder`, verified against its manifest."""
        prefix = self.keys.checkpoint(self.manifest.tokens, self.manifest.writer)
        download_directory(self.store, prefix, self.manifest.files, folder)

    def report(self, file: Path) -> None:
        """Read and check the signals in `file`, and write the report."""
        try:
            data = file.read_bytes()
        except OSError as error:
            raise InvalidInput(
                f"suite {self.suite.name}: its program ended with exit code 0, but wrote no "
                f"signals: it must write the file that {SIGNALS} names ({error.strerror})"
            ) from None
        report = report_of(read_signals(data, self.suite), self.suite, self.manifest)
        with suppress(Conflict):  # another evaluator was first
            objects.write_if_absent(self.store, self._key, report)

    def _all(self, environ: Mapping[str, str]) -> None:
        with (
            checkpoint_directory(self.store, self.keys, self.manifest) as checkpoint,
            tempfile.TemporaryDirectory(prefix="lccp-suite-") as scratch,
        ):
            file = Path(scratch) / "signals.json"
            own = {CHECKPOINT: str(checkpoint.resolve()), SIGNALS: str(file)}
            self._run({**environ, **own})
            self.report(file)

    def _run(self, environ: Mapping[str, str]) -> None:
        command = [expanded(argument, environ) for argument in self.suite.command]
        try:
            ended = subprocess.run(
                command, env=environ, cwd=self.base, stdin=subprocess.DEVNULL, check=False
            )
        except OSError as error:
            raise InvalidInput(
                f"suite {self.suite.name}: its program {command[0]!r} can't be started: "
                f"{error.strerror}"
            ) from None
        if ended.returncode:
            raise LccpError(
                f"suite {self.suite.name}: its program {os.path.basename(command[0])} ended with "
                f"exit code {ended.returncode}"
            )

    @property
    def _key(self) -> str:
        return self.keys.report(self.manifest.tokens, self.suite.name)
