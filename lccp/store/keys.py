"""The layout of keys of a run, and of evaluations without one, defined once.

Keys are relative to the store's root.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from lccp.api.labels import INTRINSIC, TOKENS_KEY, tokens_key
from lccp.contract.errors import InvalidInput

EVENT_FILES = "exports/tensorboard/"
"""Folder below a run: TensorBoard's event files."""
JOURNAL = "journal.json"
"""Below a run: it shows that a folder is a run's."""

_KEY_BYTES_MAX = 1024
_SEGMENT_BYTES_MAX = 255


def check_key(key: str) -> None:
    """Raise InvalidInput unless `key` names one object, below the root, in every store."""
    fault = _fault(key)
    if fault:
        raise InvalidInput(f"key {key!r}: {fault}")


def _fault(key: str) -> str | None:
    segments = key.split("/")
    if "" in segments:
        return "must be names separated by single slashes, without one at either end"
    if "." in segments or ".." in segments:
        return "must not contain the names '.' or '..'"
    if not key.isprintable() or "\\" in key:
        return "must not contain backslashes or unprintable characters"
    if len(key.encode()) > _KEY_BYTES_MAX:
        return f"must have at most {_KEY_BYTES_MAX} bytes"
    if max(len(segment.encode()) for segment in segments) > _SEGMENT_BYTES_MAX:
        return f"must not contain names of more than {_SEGMENT_BYTES_MAX} bytes"
    return None


def writer_name(attempt: int, unique: str) -> str:
    """`a<attempt>-<8 hex>`; `unique` is the UID of rank 0's pod, or a random UUID."""
    digits = unique.replace("-", "")[:8]
    if not re.fullmatch("[0-9a-f]{8}", digits):
        raise InvalidInput(
            f"writer: {unique!r} is not a UID: it must begin with 8 hexadecimal digits"
        )
    return f"a{attempt}-{digits}"


class TrainingKeys(ABC):
    """Keys of the objects that one training reads and writes, below its prefix."""

    @property
    @abstractmethod
    def prefix(self) -> str: ...

    @property
    def controls(self) -> str:
        return f"{self.prefix}control/"

    def control(self, attempt: int) -> str:
        return f"{self.controls}{attempt}.json"

    @property
    def trainings(self) -> str:
        return f"{self.prefix}training/"

    def heartbeat(self, writer: str) -> str:
        return f"{self.trainings}{writer}/heartbeat.json"

    def history(self, writer: str) -> str:
        return f"{self.trainings}{writer}/history.jsonl"

    def routers(self, writer: str) -> str:
        return f"{self.trainings}{writer}/routers.json"

    def end(self, writer: str) -> str:
        return f"{self.trainings}{writer}/end.json"

    @property
    def checkpoints(self) -> str:
        return f"{self.prefix}checkpoints/"

    def checkpoint(self, tokens: int, writer: str) -> str:
        return f"{self.checkpoints}{tokens_key(tokens)}/{writer}/"

    def checkpoint_manifest(self, tokens: int) -> str:
        return f"{self.checkpoints}{tokens_key(tokens)}/manifest.json"

    @property
    def states(self) -> str:
        return f"{self.prefix}state/"

    def state(self, tokens: int, writer: str) -> str:
        return f"{self.states}{tokens_key(tokens)}/{writer}/"

    def state_manifest(self, tokens: int) -> str:
        return f"{self.states}{tokens_key(tokens)}/manifest.json"


class EvaluationKeys(ABC):
    """Keys of samples and of measurements on them, below their prefix."""

    @property
    @abstractmethod
    def prefix(self) -> str: ...

    @property
    def all_samples(self) -> str:
        return f"{self.prefix}samples/"

    @property
    def evaluations(self) -> str:
        return f"{self.prefix}evaluations/"

    def evaluation(self, tokens: int, suite: str = INTRINSIC) -> str:
        return f"{self.evaluations}{tokens_key(tokens)}/{suite}/"

    def report(self, tokens: int, suite: str = INTRINSIC) -> str:
        return f"{self.evaluation(tokens, suite)}report.json"

    def evaluation_progress(self, tokens: int, suite: str = INTRINSIC) -> str:
        return f"{self.evaluation(tokens, suite)}progress.json"

    def evaluation_failure(self, tokens: int, suite: str = INTRINSIC) -> str:
        return f"{self.evaluation(tokens, suite)}failure.json"

    def evaluation_source(self, tokens: int, suite: str = INTRINSIC) -> str:
        return f"{self.evaluation(tokens, suite)}source.json"


@dataclass(frozen=True)
class SeriesKeys(EvaluationKeys):
    """Keys of evaluations without a run, in a store of their own."""

    @property
    def prefix(self) -> str:
        return ""


@dataclass(frozen=True)
class RunKeys(TrainingKeys, EvaluationKeys):
    """Keys of the run `namespace/name`."""

    namespace: str
    name: str

    @property
    def prefix(self) -> str:
        return f"{self.namespace}/{self.name}/"

    @property
    def identity(self) -> str:
        return f"{self.prefix}run.json"

    @property
    def inputs(self) -> str:
        return f"{self.prefix}inputs.json"

    @property
    def journal(self) -> str:
        return f"{self.prefix}{JOURNAL}"

    @property
    def stop(self) -> str:
        """The object that the trainer of an attached run polls for."""
        return f"{self.controls}stop.json"

    @property
    def conditions(self) -> str:
        return f"{self.prefix}conditions.json"

    @property
    def analyses(self) -> str:
        return f"{self.prefix}analysis/"

    @property
    def verdict(self) -> str:
        return f"{self.analyses}verdict.json"

    @property
    def event_files(self) -> str:
        return f"{self.prefix}{EVENT_FILES}"

    @property
    def branches(self) -> str:
        return f"{self.prefix}branches/"

    def branch(self, tokens: int) -> "BranchKeys":
        """Keys of the branch that begins with the training's state at `tokens`."""
        return BranchKeys(self, tokens)

    def fine_tuning(self, tokens: int) -> "FineTuningKeys":
        """Keys of the fine-tuning of the checkpoint at `tokens`."""
        return FineTuningKeys(self, tokens)


@dataclass(frozen=True)
class BranchKeys(TrainingKeys):
    """Keys of a branch of the training; its attempts receive requests where the run's do."""

    run: RunKeys
    trunk_tokens: int

    @property
    def prefix(self) -> str:
        return f"{self.run.branches}{tokens_key(self.trunk_tokens)}/"

    @property
    def controls(self) -> str:
        return self.run.controls


@dataclass(frozen=True)
class FineTuningKeys(TrainingKeys):
    """Keys of the fine-tuning of one checkpoint, which makes one model."""

    run: RunKeys
    checkpoint_tokens: int

    @property
    def prefix(self) -> str:
        return f"{self.run.prefix}sft/{tokens_key(self.checkpoint_tokens)}/"

    @property
    def identity(self) -> str:
        return f"{self.prefix}sft.json"

    @property
    def manifest(self) -> str:
        """Manifest of the fine-tuned model."""
        return f"{self.prefix}manifest.json"

    def checkpoint(self, tokens: int, writer: str) -> str:
        return f"{self.prefix}{writer}/"

    def checkpoint_manifest(self, tokens: int) -> str:
        return self.manifest


def tokens_of(key: str, below: str) -> int:
    """Tokens in a key under `below` (such as `RunKeys.checkpoints`). Raises InvalidInput."""
    digits = key.removeprefix(below).split("/", 1)[0]
    if not key.startswith(below) or not TOKENS_KEY.fullmatch(digits):
        raise InvalidInput(f"key {key!r}: must continue after {below!r} with tokens in 15 digits")
    return int(digits)
