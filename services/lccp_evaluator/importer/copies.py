"""Copies of another trainer's checkpoints in a run's store, laid out like our own trainer's."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lccp.api.objects.manifest import Manifest
from lccp.api.objects.report import EvaluationReport
from lccp.contract.errors import Conflict, InvalidInput
from lccp.probes.probe import Contexts
from lccp.store import objects
from lccp.store.directory import upload_directory
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_evaluator.progress import Progress
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.files import ModelDigests, model_files, stamps

MANIFEST = "manifest.json"


class Copies:
    """The copied checkpoints; the first copy at a token count holds, and never changes."""

    def __init__(
        self,
        store: Store,
        keys: RunKeys,
        writer: str,
        contexts: Contexts,
        copied: Callable[[Path], None] = lambda path: None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """`copied` is called with each directory once its copy is complete, `tick` every second
        while it is copied or reread.
        """
        self._store, self._keys, self._writer, self._contexts = store, keys, writer, contexts
        self._copied, self._tick = copied, tick
        self._manifests: dict[int, Manifest] = {}
        self._digests = ModelDigests(tick)

    def tokens(self) -> tuple[int, ...]:
        """Token counts of the checkpoints in the store, ascending."""
        below = self._keys.checkpoints
        return tuple(t for t, _ in objects.named(self._store.list(below), below, MANIFEST))

    def reports(self) -> Sequence[EvaluationReport]:
        """None: evaluators write them."""
        return ()

    def report(self, checkpoint: CheckpointDirectory) -> Manifest | None:
        """The manifest of the copy; None if there is none.

        Raises InvalidInput if it is of other weights. An exception from `tick` ends the reading.
        """
        manifest = self._manifest(checkpoint.tokens)
        if not checkpoint.path.exists():
            return manifest
        if manifest is not None and self._digests.of(checkpoint.path) != manifest.digest:
            raise InvalidInput(
                f"differs from what was copied of {checkpoint.tokens:,} tokens: it was rewritten, "
                "and the first copy is what is judged"
            )
        return manifest

    def settled(self, tokens: int) -> bool:
        """Whether there is a copy."""
        return self._manifest(tokens) is not None

    def evaluate(self, checkpoint: CheckpointDirectory, progress: Progress) -> Manifest:
        """Copy the files of model and tokenizer, and write the manifest last.

        Raises:
            Conflict: files changed meanwhile, or another writer was first; no manifest was written.
            InvalidInput: a file is missing, or can't be read.

        An exception from `tick` also ends it, once the files in transfer have arrived.
        """
        path, tokens = checkpoint.path, checkpoint.tokens
        before = stamps(path)
        place = self._keys.checkpoint(tokens, self._writer)
        files = upload_directory(self._store, path, place, names=model_files(path), tick=self._tick)
        if stamps(path) != before:
            raise Conflict(f"{path}: was changed while it was copied")
        manifest = Manifest(
            kind="Checkpoint",
            tokens=tokens,
            step=checkpoint.trained.step,
            writer=self._writer,
            files=files,
            source_context_length=self._contexts.source,
            target_context_length=self._contexts.target,
        )
        objects.write_if_absent(self._store, self._keys.checkpoint_manifest(tokens), manifest)
        self._manifests[tokens] = manifest
        self._digests.note(path, before, manifest.digest)
        self._copied(path)
        return manifest

    def _manifest(self, tokens: int) -> Manifest | None:
        """Read only once: a manifest never changes."""
        if tokens not in self._manifests:
            key = self._keys.checkpoint_manifest(tokens)
            found = objects.read_or_none(self._store, key, Manifest)
            if found is None:
                return None
            self._manifests[tokens] = found
        return self._manifests[tokens]
