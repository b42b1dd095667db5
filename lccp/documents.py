"""The files of documents: which ones a path names."""

import os
from pathlib import Path

from lccp.contract.errors import InvalidInput

SUFFIXES = {
    "JSONL": (".jsonl", ".jsonl.gz", ".json", ".json.gz"),
    "Text": (".txt", ".txt.gz", ".md"),
}
"""How names of files end, by form."""
LFS_MARK = b"version https://git-lfs"
LFS_FAULT = "is a pointer of Git LFS, not the file itself: run `git lfs pull` in its folder"


def files_below(folder: Path) -> list[Path]:
    """All files of the folder and of folders that it links to, sorted; hidden ones are left out."""
    found: list[Path] = []
    seen: set[str] = set()
    for at, below, names in os.walk(folder, followlinks=True):
        below[:] = sorted(name for name in below if not name.startswith("."))
        if os.path.realpath(at) in seen:
            below.clear()
            continue
        seen.add(os.path.realpath(at))
        found += [Path(at) / name for name in names if not name.startswith(".")]
    return sorted(found)


def document_files(path: Path, form: str, where: str) -> list[Path]:
    """The file `path`, or those below it whose names end as files of that form do.

    Raises InvalidInput, naming the field `where`, if there is none.
    """
    if path.is_file():
        return [path]
    found = [
        file for file in files_below(path) if file.name.endswith(SUFFIXES[form]) and file.is_file()
    ]
    if not found:
        names = " or ".join(SUFFIXES[form][:2])
        what = f"contains no {names}" if path.is_dir() else "is missing"
        raise InvalidInput(f"{where}: {path} {what}")
    return found


def form_of(path: Path) -> str:
    """The form of the file `path`, or of those below it: JSONL if a name says so, else Text."""
    names = [file.name for file in files_below(path)] if path.is_dir() else [path.name]
    return "JSONL" if any(name.endswith(SUFFIXES["JSONL"]) for name in names) else "Text"
