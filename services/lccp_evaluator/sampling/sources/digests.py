"""Digests of files, kept so that an unchanged file is read once and not by every evaluation.

What tells that a file is unchanged: its inode, its size, and both of its times. A write, and
whatever sets a file's modification time back, sets the other one (ctime), which no program can set.
"""

import time
from os import stat_result
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.contract.base import Contract
from lccp.store.directory import file_record

SETTLED_NS = 2 * 10**9
"""A file that changed later than this before it was read may change again within one tick of its
times, so its digest is not kept."""


class KeptDigest(Contract):
    """The digest of a file, and what tells that the file is unchanged."""

    size: Annotated[int, Field(ge=0, description="Bytes.")]
    modified_ns: Annotated[int, Field(description="Time of the last change of its content.")]
    changed_ns: Annotated[int, Field(description="Time of the last change of any kind.")]
    inode: Annotated[int, Field(description="Its number in its file system.")]
    sha256: Annotated[str, Field(description="SHA-256 of its content.")]

    @classmethod
    def of(cls, status: stat_result, sha256: str) -> "KeptDigest":
        """The digest of a file with this status."""
        return cls(
            size=status.st_size,
            modified_ns=status.st_mtime_ns,
            changed_ns=status.st_ctime_ns,
            inode=status.st_ino,
            sha256=sha256,
        )


class FileDigests(StoreObject):
    """`samples/files.json`: digests of the files of probes, by absolute path."""

    files: Annotated[dict[str, KeptDigest], Field(description="By absolute path.")] = {}


class KnownDigests:
    """Digests of files: those that are kept, and those that were computed since (`new`)."""

    def __init__(self, kept: FileDigests | None = None) -> None:
        self._kept = dict((kept or FileDigests()).files)
        self._read: dict[Path, str] = {}
        self.new = False

    def of(self, file: Path) -> str:
        """SHA-256 of `file`, which is read unless it is known. Raises InvalidInput."""
        if file not in self._read:
            self._read[file] = self._known(file) or self._computed(file)
        return self._read[file]

    def document(self) -> FileDigests:
        """All that is worth keeping."""
        return FileDigests(files=self._kept)

    def _known(self, file: Path) -> str | None:
        kept = self._kept.get(str(file.absolute()))
        if kept is None or not file.is_file():
            return None
        return kept.sha256 if KeptDigest.of(file.stat(), kept.sha256) == kept else None

    def _computed(self, file: Path) -> str:
        start = time.time_ns()
        before = file.stat() if file.is_file() else None
        digest = file_record(file).sha256
        if before is not None and before.st_ctime_ns < start - SETTLED_NS:
            kept = KeptDigest.of(before, digest)
            if KeptDigest.of(file.stat(), digest) == kept:
                self._kept[str(file.absolute())] = kept
                self.new = True
        return digest
