"""The layout of a run's keys, spelled once. Keys are relative to the store's root."""

from dataclasses import dataclass

from lccp.api.labels import tokens_key


def writer_name(attempt: int, unique: str) -> str:
    """`a<attempt>-<8 hex>`; `unique` is the UID of rank 0's pod, or a random UUID."""
    return f"a{attempt}-{unique.replace('-', '')[:8]}"


@dataclass(frozen=True)
class RunKeys:
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
    def journal(self) -> str:
        return f"{self.prefix}journal.json"

    @property
    def verdict(self) -> str:
        return f"{self.prefix}analysis/verdict.json"

    def control(self, attempt: int) -> str:
        return f"{self.prefix}control/{attempt}.json"

    @property
    def trainings(self) -> str:
        return f"{self.prefix}training/"

    def heartbeat(self, writer: str) -> str:
        return f"{self.trainings}{writer}/heartbeat.json"

    def history(self, writer: str) -> str:
        return f"{self.trainings}{writer}/history.jsonl"

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

    def samples(self, digest: str) -> str:
        return f"{self.prefix}samples/{digest}.jsonl.gz"

    @property
    def evaluations(self) -> str:
        return f"{self.prefix}evaluations/"

    def evaluation(self, tokens: int) -> str:
        return f"{self.evaluations}{tokens_key(tokens)}/"

    def report(self, tokens: int) -> str:
        return f"{self.evaluation(tokens)}report.json"

    def evaluation_progress(self, tokens: int) -> str:
        return f"{self.evaluation(tokens)}progress.json"

    def evaluation_failure(self, tokens: int) -> str:
        return f"{self.evaluation(tokens)}failure.json"

    def evaluation_samples(self, tokens: int) -> str:
        return f"{self.evaluation(tokens)}samples.npz"

    def evaluation_heads(self, tokens: int) -> str:
        return f"{self.evaluation(tokens)}heads.npz"


def tokens_of(key: str, below: str) -> int:
    """Tokens in a key under `below` (such as `RunKeys.checkpoints`)."""
    return int(key.removeprefix(below).split("/", 1)[0])
