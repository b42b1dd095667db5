"""Tokenizing the sources of a run before it starts, once for all its attempts."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from lccp.api.invocation import StoreConfig
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.data import DataSource
from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput
from lccp.inputs.cache import DIGITS, cache_directory
from lccp.inputs.fetch import BytesProgress
from lccp.store.directory import upload_directory
from lccp.store.open import open_store, probe
from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.prepare import prepare
from lccp_trainer.data.sharding import BadDocuments
from lccp_trainer.data.shards import INDEX, ShardIndex


@dataclass(frozen=True)
class Prepared:
    """A source whose tokens are in `folder`."""

    source: DataSource
    folder: Path
    index: ShardIndex

    @property
    def left_out(self) -> int:
        """Documents that could not be read."""
        return sum(shard.skipped for shard in self.index.shards)


class Destination:
    """Where tokens go: a folder, or a bucket's prefix with a folder until they are uploaded.

    Args:
        out: the value of `--out`.
        endpoint: of the bucket; None: the provider's default.

    Raises InvalidInput if it can't be written, and StoreUnavailable.
    """

    def __init__(self, out: str, endpoint: str | None) -> None:
        self.folder, self._store = Path(out), None
        if "://" not in out:
            return
        if not out.startswith("s3://"):
            raise InvalidInput(f"--out: must be a folder or s3://bucket/prefix, not {out}")
        self._store = open_store(StoreConfig(url=out.rstrip("/"), endpoint=endpoint))
        probe(self._store)
        name = sha256(self._store.url.encode()).hexdigest()[:DIGITS]
        self.folder = cache_directory(os.environ) / "tokens" / name

    def put(self, prepared: Prepared) -> str:
        """Move the tokens of a source to their place, the index last; the path for a manifest."""
        if self._store is None:
            return str(prepared.folder.resolve())
        name = prepared.source.name
        self._store.delete(f"{name}/{INDEX}")
        for names in (prepared.index.file_names, (INDEX,)):
            upload_directory(self._store, prepared.folder, name, names=names)
        return f"{self._store.url}/{name}"

    def leave(self) -> None:
        """Delete the folder if everything is in a bucket now."""
        if self._store is not None:
            shutil.rmtree(self.folder)


def prepare_sources(
    spec: LCCPRunSpec,
    base: Path,
    out: Path,
    *,
    names: Sequence[str] = (),
    workers: int = 1,
    progress: Callable[[DataSource], BytesProgress] = lambda source: lambda *_: None,
) -> Iterator[Prepared]:
    """Tokenize the sources of `spec` that are not tokenized yet, each into a folder named after it.

    Args:
        base: folder that relative paths of the spec start from.
        names: of the sources; default: all.

    Raises:
        InvalidInput: a source does not exist or can't be read.
        LccpError: `out` can't be written, or a process was killed.
    """
    unknown = set(names) - {source.name for source in spec.mixture.sources}
    if unknown:
        there = ", ".join(source.name for source in spec.mixture.sources)
        raise InvalidInput(f"--source: there is no source {min(unknown)}; there are {there}")
    directory = base / spec.model.source
    digest = tokenizer_digest(directory)
    for number, source in enumerate(spec.mixture.sources):
        if source.format == "Tokens" or (names and source.name not in names):
            continue
        folder = out / source.name
        index = prepare(
            source,
            base / source.path,
            folder,
            partial(tokenizer_of, spec.model, directory),
            digest,
            f"data.sources[{number}]",
            bad=BadDocuments(source.bad_documents_max),
            workers=workers,
            progress=progress(source),
        )
        yield Prepared(source, folder, index)


@cache
def tokenizer_of(model: ModelSpec, directory: Path) -> Any:
    """The tokenizer of the model in `directory`, loaded once."""
    from lccp_trainer.model.config import load_config
    from lccp_trainer.model.directory import load_tokenizer

    return load_tokenizer(model, directory, load_config(model, directory))
