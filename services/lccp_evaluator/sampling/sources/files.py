"""The files that settings name, and whether they are unchanged since samples were drawn."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lccp.contract.errors import Incompatible
from lccp.documents import SUFFIXES, document_files, files_below
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.sources.digests import KnownDigests

Digests = dict[str, dict[str, str]]
"""SHA-256 of the files that were read, by name, by the field that names their path."""


class Files:
    """Files that settings name; relative paths start from `base`.

    Files are read in the order of their names, as far as needed. `read` holds those that were
    opened, `whole` the fields whose files were all read to the end; `notes` say what was left out.
    """

    def __init__(self, base: Path, digests: KnownDigests | None = None) -> None:
        self._base = base
        self._digest = (digests or KnownDigests()).of
        self.read: Digests = {}
        self.whole: list[str] = []
        self.notes: list[str] = []

    def opened(self, documents: Documents, where: str) -> Iterator[Path]:
        """The files of `documents`, whose path is in the field `where`, to be read now.

        Raises InvalidInput if there is none.
        """
        assert documents.path is not None
        path = self._base / documents.path
        files = document_files(path, documents.format, where)
        self._note_left_out(path, files, documents.format, where)
        for file in files:
            self.read.setdefault(where, {})[_name(file, path)] = self._digest(file)
            yield file
        self.whole.append(where)

    def _note_left_out(self, path: Path, files: list[Path], form: str, where: str) -> None:
        others = [file for file in files_below(path) if file not in files]
        if others:
            self.notes.append(
                f"{where}: {len(others):,} files are left out, {_name(others[0], path)} among "
                f"them: names of {form} end in {', '.join(SUFFIXES[form])}"
            )

    def check(self, header: Header, named: Mapping[str, Documents], where: str) -> None:
        """Raise Incompatible if the existing files are not those of `header`.

        `named` are documents by the field of their path; `where` holds the samples.
        """
        for field, documents in named.items():
            assert documents.path is not None
            path, digests = self._base / documents.path, header.files.get(field)
            if digests is None or not path.exists():
                continue
            files = document_files(path, documents.format, field)
            if field not in (header.whole or ()):
                files = files[: len(digests)]
            now = {_name(file, path): self._digest(file) for file in files}
            if now != digests:
                changed = min(name for name, _ in now.items() ^ digests.items())
                raise Incompatible(
                    f"{field}: {path if path.is_file() else path / changed} is not what the "
                    f"samples in {where} were drawn from: put it back, or give another folder "
                    "(--out) or run, which draws its own"
                )


def _name(file: Path, path: Path) -> str:
    return file.name if file == path else str(file.relative_to(path))
