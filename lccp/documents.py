"""The files of documents: which ones a path names."""

import errno
import os
import stat
from pathlib import Path

from lccp.contract.errors import InvalidInput
from lccp.contract.file_systems import LOST_AND_FOUND

SUFFIXES = {
    "JSONL": (".jsonl", ".jsonl.gz", ".json", ".json.gz"),
    "Text": (".txt", ".txt.gz", ".md"),
}
"""How names of files end, by form."""
LFS_MARK = b"version https://git-lfs"
LFS_FAULT = "is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"

GONE = (errno.ENOENT, errno.ENOTDIR)
LASTING = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)
"""Errors that stay until somebody mends the path; others, such as those of a network, may pass."""


def files_below(folder: Path) -> list[Path]:
    """All files of the folder and of folders that it links to, sorted.

    Hidden ones are left out, and what a check of the volume found, whoever may read it. Raises
    InvalidInput if one of these folders may not be read, and OSError if its disk fails.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for at, below, names in os.walk(folder, followlinks=True, onerror=_refuse):
        below[:] = sorted(name for name in below if not _is_left_out(name))
        if os.path.realpath(at) in seen:
            below.clear()
            continue
        seen.add(os.path.realpath(at))
        found += [Path(at) / name for name in names if not name.startswith(".")]
    return sorted(found)


def document_files(path: Path, form: str, where: str) -> list[Path]:
    """The file `path`, or those below it whose names end as files of that form do.

    Raises InvalidInput, naming the field `where`, if there is none, or one may not be read, and
    OSError if its disk fails.
    """
    try:
        status = path.stat()
    except OSError as error:
        if error.errno in GONE:
            raise InvalidInput(f"{where}: {path} is missing") from None
        if error.errno in LASTING:
            raise InvalidInput(f"{where}: {path} can't be read: {error.strerror}") from None
        raise
    if stat.S_ISREG(status.st_mode):
        return [path]
    if not stat.S_ISDIR(status.st_mode):
        raise InvalidInput(f"{where}: {path} is neither a file nor a folder")
    found = [
        file for file in files_below(path) if file.name.endswith(SUFFIXES[form]) and file.is_file()
    ]
    if not found:
        names = " or ".join(SUFFIXES[form][:2])
        raise InvalidInput(f"{where}: {path} contains no {names}")
    return found


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == LOST_AND_FOUND


def _refuse(error: OSError) -> None:
    if error.errno in GONE:
        return
    if error.errno in LASTING:
        raise InvalidInput(f"{error.filename}: can't be read: {error.strerror}")
    raise error


def form_of(path: Path) -> str:
    """The form of the file `path`, or of those below it: JSONL if a name says so, else Text."""
    names = [file.name for file in files_below(path)] if path.is_dir() else [path.name]
    return "JSONL" if any(name.endswith(SUFFIXES["JSONL"]) for name in names) else "Text"
