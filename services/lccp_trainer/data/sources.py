"""Where each source's tokens are on this node: in its own folder, or tokenized to scratch."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lccp.api.spec.data import DataSource, DataSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.documents import files_of, read_documents
from lccp_trainer.data.lines import Unreadable
from lccp_trainer.data.prepare import is_ready, prepare
from lccp_trainer.data.sharding import BadDocuments, Tokenizer
from lccp_trainer.data.shards import ShardIndex, TokenShards, read_index

logger = logging.getLogger(__name__)

CHECKED_CHARACTERS = 2**26
"""Of a source's text, which its check reads in about a second."""
TOLD_SECONDS = 10.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class NodeGroup:
    """What the processes of one node share while sources are prepared."""

    scratch: Path
    """Folder for sources that are tokenized here."""
    first: bool
    """Whether this process does the work; the others wait for it."""
    alive: Callable[[], None] = lambda: None
    """Called during the work, so that it is not taken for a hang."""


def check_source(source: DataSource, path: Path, where: str, tokenizer_digest: str) -> None:
    """Raise InvalidInput unless the source can be used, as far as its check reads."""
    if source.format == "Tokens":
        _check_tokens(path, where, tokenizer_digest)
    else:
        check_documents(source, path, where)


def check_documents(source: DataSource, path: Path, where: str) -> None:
    """Raise InvalidInput unless the source's documents can be read.

    The first one of every file is read, and as many others as have `CHECKED_CHARACTERS` in total.
    """
    bad, read = BadDocuments(source.bad_documents_max), 0
    for file in files_of(path, where):
        skipped = 0
        for document in read_documents(source, file):
            if isinstance(document, Unreadable):
                bad.refuse(document, skipped, where)
                skipped += 1
            else:
                read += len(document.text)
            if read >= CHECKED_CHARACTERS:
                break


def token_folders(
    data: DataSpec,
    base: Path,
    load_tokenizer: Callable[[], Tokenizer],
    tokenizer_digest: str,
    node: NodeGroup,
) -> list[Path | None]:
    """The folder of shards of each source; None for a source without a share of the tokens.

    Sources that are not tokenized yet are tokenized on every node, once; relative paths start from
    `base`.

    Raises:
        InvalidInput: a source can't be read, or was tokenized by another tokenizer.
    """
    folders: list[Path | None] = []
    for number, source in enumerate(data.sources):
        path, where = base / source.path, f"data.sources[{number}]"
        if not data.share(source):
            folders.append(None)
        elif source.format == "Tokens":
            index = _check_tokens(path, where, tokenizer_digest)
            _check_ends(index, load_tokenizer().eos_token_id, f"{where}.path: {path}")
            folders.append(path)
        else:
            folder = node.scratch / f"source-{number}"
            if node.first:
                told = _Told(source.name, node.alive)
                bad = BadDocuments(source.bad_documents_max)
                index = prepare(
                    *(source, path, folder, load_tokenizer, tokenizer_digest, where),
                    bad=bad,
                    progress=told,
                )
                _tell_left_out(source.name, index)
            _wait(folder, node.alive)
            folders.append(folder)
    return folders


def _tell_left_out(name: str, index: ShardIndex) -> None:
    """Log how many documents of each file could not be read."""
    for shard in index.shards:
        if shard.skipped:
            logger.warning(
                "source %s: %d documents of %s could not be read, and are left out",
                name,
                shard.skipped,
                shard.input,
            )


def _check_ends(index: ShardIndex, end: int | None, place: str) -> None:
    """Raise InvalidInput if documents end with another token than `end`.

    It is named in a file of its own, so equal tokenizers can differ in it: a model and its chat
    model often do.
    """
    others = sorted({shard.end for shard in index.shards if shard.end is not None} - {end})
    if others:
        raise InvalidInput(
            f"{place}: its documents end with token {others[0]}, but texts of model.source with "
            f"{'none' if end is None else end}: run `lccp data prepare` with this model"
        )


def _check_tokens(folder: Path, where: str, tokenizer_digest: str) -> ShardIndex:
    index = read_index(folder, where)
    if index.tokenizer_digest != tokenizer_digest:
        raise InvalidInput(
            f"{where}.path: {folder} was tokenized by another tokenizer than that of model.source: "
            "run `lccp data prepare` with this model"
        )
    TokenShards(folder, index, where)
    return index


def _wait(folder: Path, alive: Callable[[], None]) -> None:
    """Wait until another process of the node has finished the folder; its failure ends all."""
    while not is_ready(folder):
        alive()
        time.sleep(POLL_SECONDS)


class _Told:
    """Logs the progress of a source from time to time."""

    def __init__(self, name: str, alive: Callable[[], None]) -> None:
        self._name, self._alive = name, alive
        self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        self._alive()
        if time.monotonic() - self._last >= TOLD_SECONDS:
            self._last = time.monotonic()
            share = 100 * done / total if total else 100
            logger.info("tokenizing source %s: %.0f %%", self._name, share)
