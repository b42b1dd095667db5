"""Which process of the attempt this is, and what it was told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lccp.api.invocation import Invocation
from lccp.api.run import LCCPRunSpec
from lccp.store.keys import RunKeys

SCRATCH = "LCCP_SCRATCH"
SPEC_FILE = "spec.json"
"""In the folder that the processes of a node share."""


@dataclass(frozen=True)
class Worker:
    """A process that trains: one rank."""

    invocation: Invocation
    spec: LCCPRunSpec
    """As the launcher read it from the store."""
    rank: int
    local_rank: int
    scratch: Path
    """Folder that the processes of this node share, with the launcher."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Worker":
        """The worker that torchrun and the launcher describe in the environment of its process."""
        scratch = Path(environ[SCRATCH])
        spec = json.loads((scratch / SPEC_FILE).read_text())
        return cls(
            invocation=Invocation.from_environ(environ),
            spec=LCCPRunSpec.parse(spec, SPEC_FILE),
            rank=int(environ["RANK"]),
            local_rank=int(environ["LOCAL_RANK"]),
            scratch=scratch,
        )

    @property
    def keys(self) -> RunKeys:
        return RunKeys(self.invocation.namespace, self.invocation.name)

    @property
    def base(self) -> Path:
        """Folder that relative paths of the spec start from."""
        return Path(self.invocation.base_directory).absolute()

    @property
    def own_scratch(self) -> Path:
        """Folder of this rank alone."""
        return self.scratch / f"rank-{self.rank}"
