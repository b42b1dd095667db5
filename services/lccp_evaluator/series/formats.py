"""What a trainer leaves: Hugging Face directories, or what a command converts into them."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from lccp.api.objects.report import FileStamp
from lccp.contract.errors import InvalidInput
from lccp_evaluator.series.checkpoints import children, directories, distinct, without_models
from lccp_evaluator.series.conversion import Conversion, Stamps
from lccp_evaluator.series.files import check_whole, stamps


class Format(Protocol):
    """How checkpoints are laid out in a folder, and where the model of each is."""

    making: str
    """What happens to a checkpoint while its model is made, for people."""

    def found(self, folder: Path) -> list[Path]:
        """The checkpoints in `folder`. Raises InvalidInput if it can't be read."""

    def stamps(self, path: Path) -> Stamps:
        """Size and time of each file of a checkpoint. Raises InvalidInput."""

    def check_whole(self, path: Path) -> None:
        """Raise InvalidInput if the checkpoint's own files show that it is cut short."""

    def model(self, path: Path) -> Path:
        """The Hugging Face directory of the checkpoint, which may not exist yet."""

    def converted(self, path: Path, files: Stamps) -> bool:
        """Whether the model was made from exactly these files; it may be deleted since."""

    def convert(self, path: Path, files: Stamps) -> None:
        """Make the model. Raises InvalidInput, or Conflict if the files changed meanwhile."""


class HuggingFace:
    """Hugging Face directories, which already are the model."""

    making = "being read"

    def found(self, folder: Path) -> list[Path]:
        """The models in `folder`; if there is none, what could be one, to say what it lacks."""
        return directories([folder]) or without_models(folder)

    def stamps(self, path: Path) -> Stamps:
        return stamps(path)

    def check_whole(self, path: Path) -> None:
        check_whole(path)

    def model(self, path: Path) -> Path:
        return path

    def converted(self, path: Path, files: Stamps) -> bool:
        return stamps(path) == files

    def convert(self, path: Path, files: Stamps) -> None:
        pass


class Foreign:
    """Folders of another format, each converted into a Hugging Face directory by a command."""

    making = "being converted"

    def __init__(self, conversion: Conversion) -> None:
        self._conversion = conversion

    def found(self, folder: Path) -> list[Path]:
        """The folders in `folder`, without hidden ones and links to one already listed."""
        return sorted(distinct(filter(Path.is_dir, children(folder))))

    def stamps(self, path: Path) -> Stamps:
        found = {}
        try:
            for one in _files(path):
                status = one.stat()
                if stat.S_ISREG(status.st_mode):
                    name = one.relative_to(path).as_posix()
                    found[name] = FileStamp(size=status.st_size, modified_ns=status.st_mtime_ns)
        except OSError as error:
            raise InvalidInput(f"{error.filename}: can't be read: {error.strerror}") from None
        return found

    def check_whole(self, path: Path) -> None:
        """Only the converter can check it, but an empty folder is no checkpoint."""
        if not any(_files(path)):
            raise InvalidInput(f"{path}: contains no file yet")

    def model(self, path: Path) -> Path:
        return self._conversion.model(path)

    def converted(self, path: Path, files: Stamps) -> bool:
        return self._conversion.is_of(path, files)

    def convert(self, path: Path, files: Stamps) -> None:
        self._conversion.convert(path, files, lambda: self.stamps(path))


def _files(path: Path) -> Iterable[Path]:
    """All files below `path`. Raises OSError if a folder can't be read."""
    for folder, _, names in os.walk(path, onerror=_raise):
        yield from (Path(folder, name) for name in names)


def _raise(error: OSError) -> None:
    raise error
