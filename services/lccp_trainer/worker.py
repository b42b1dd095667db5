"""Which process of the attempt this is, and its orders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.api.invocation import Invocation
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys, TrainingKeys

SCRATCH = "LCCP_SCRATCH"
SPEC_FILE = "spec.json"
"""The run's spec, in the folder that the processes of a node share."""
SFT_FILE = "sft.json"
"""Beside it, if a checkpoint is fine-tuned."""
STARTED = "LCCP_STARTED"


@dataclass(frozen=True)
class FineTuningOrder:
    """Which checkpoint is fine-tuned, and how."""

    keys: FineTuningKeys
    sft: SFTSpec


def keys_of(invocation: Invocation) -> RunKeys | BranchKeys | FineTuningKeys:
    """Keys of everything that a trainer of this invocation reads and writes."""
    run = RunKeys(invocation.namespace, invocation.name)
    if invocation.branch is not None:
        return run.branch(invocation.branch)
    if invocation.objective == "Pretrain":
        return run
    assert invocation.tokens is not None
    return run.fine_tuning(invocation.tokens)


@dataclass(frozen=True)
class Worker:
    """A process that trains: one rank."""

    invocation: Invocation
    spec: LCCPRunSpec
    """Of the run or its branch, as the launcher derived it from the store."""
    sft: SFTSpec | None
    """None: the run is trained."""
    rank: int
    local_rank: int
    scratch: Path
    """Folder that the processes of this node share, with the launcher."""
    started: float
    """When the launcher started, seconds since 1970."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Worker":
        """The worker that torchrun and the launcher describe in its process's environment."""
        scratch = Path(environ[SCRATCH])
        spec, sft = (_read(scratch / name) for name in (SPEC_FILE, SFT_FILE))
        return cls(
            invocation=Invocation.from_environ(environ),
            spec=LCCPRunSpec.parse(spec, SPEC_FILE),
            sft=None if sft is None else SFTSpec.parse(sft, SFT_FILE),
            rank=int(environ["RANK"]),
            local_rank=int(environ["LOCAL_RANK"]),
            scratch=scratch,
            started=float(environ[STARTED]),
        )

    @property
    def keys(self) -> TrainingKeys:
        return keys_of(self.invocation)

    @property
    def fine_tuning(self) -> FineTuningOrder:
        """What to fine-tune, if that is its order."""
        keys = keys_of(self.invocation)
        assert isinstance(keys, FineTuningKeys)
        assert self.sft is not None
        return FineTuningOrder(keys, self.sft)

    @property
    def base(self) -> Path:
        """Folder that the spec's relative paths start from."""
        return Path(self.invocation.base_directory).absolute()

    @property
    def own_scratch(self) -> Path:
        """Folder that only this rank uses."""
        return self.scratch / f"rank-{self.rank}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None
