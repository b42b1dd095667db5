"""Which process of the attempt this is, and what it was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lccp.api.invocation import Invocation
from lccp.api.run import LCCPRunSpec
from lccp.store.keys import RunKeys

SCRATCH = "LCCP_SCRATCH"


@dataclass(frozen=True)
class Worker:
    """A process that trains: one rank."""

    invocation: Invocation
    rank: int
    local_rank: int
    scratch: Path
    """Folder that the processes of this node share, with the launcher."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Worker":
        """The worker that torchrun and the launcher describe in the environment of its process."""
        return cls(
            invocation=Invocation.from_environ(environ),
            rank=int(environ["RANK"]),
            local_rank=int(environ["LOCAL_RANK"]),
            scratch=Path(environ[SCRATCH]),
        )

    @property
    def spec(self) -> LCCPRunSpec:
        return self.invocation.run.spec

    @property
    def run_name(self) -> str:
        run = self.invocation.run.metadata
        return f"{run.namespace}/{run.name}"

    @property
    def keys(self) -> RunKeys:
        run = self.invocation.run.metadata
        return RunKeys(run.namespace, run.name)

    @property
    def base(self) -> Path:
        """Folder that relative paths of the spec start from."""
        return Path(self.invocation.base_directory).absolute()

    @property
    def own_scratch(self) -> Path:
        """Folder of this rank alone."""
        return self.scratch / f"rank-{self.rank}"
