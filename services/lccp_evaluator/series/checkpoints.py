"""The checkpoints in given directories, in the order of their tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lccp.contract.errors import InvalidInput
from lccp.foreign_formats import lacks, other_format
from lccp.model_config import CONFIG
from lccp_evaluator.series.tokens import TokenCounts, Trained, step_in, tokens_in


@dataclass(frozen=True)
class Completion:
    """How a checkpoint is known to be complete; its weights must also be whole."""

    marker: str | None = None
    """The file in it that its trainer writes last."""
    quiet_seconds: float = 30.0
    """Without a marker, and without transformers' own: its files must be unchanged so long."""
    by_trainer_state: bool = True
    """transformers' Trainer writes its state last: a checkpoint that holds one is complete."""


@dataclass(frozen=True)
class CheckpointDirectory:
    """A Hugging Face directory of a model, and how far it was trained."""

    path: Path
    trained: Trained

    @property
    def tokens(self) -> int:
        return self.trained.tokens


def directories(given: Iterable[Path]) -> list[Path]:
    """Directories with a config.json: those given, or those inside a given one without it.

    Links to a directory already listed, such as `latest`, and directories without permission, such
    as `lost+found`, are left out. Raises InvalidInput if a given directory can't be read.
    """
    return distinct(
        one
        for path in given
        for one in ([path] if _is_model(path) else filter(_is_model, children(path)))
    )


def without_models(folder: Path) -> list[Path]:
    """Directories in `folder` that are checkpoints by their names or files, but hold no model.

    Empty ones are left out. Raises InvalidInput if `folder` can't be read.
    """
    return distinct(filter(_is_other, children(folder)))


def distinct(paths: Iterable[Path]) -> list[Path]:
    """`paths` in their order; of several to one place, the first that is not a link."""
    found: dict[Path, Path] = {}
    for path in paths:
        real = path.resolve()
        if real not in found or found[real].is_symlink():
            found[real] = path
    return list(found.values())


def children(folder: Path) -> list[Path]:
    """The contents of `folder`, by name, without hidden ones. Raises InvalidInput."""
    try:
        return sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    except OSError as error:
        raise InvalidInput(f"{folder}: can't be read as a folder: {error.strerror}") from None


def _is_model(path: Path) -> bool:
    """Whether `path` can be read and holds a config.json."""
    try:
        return (path / CONFIG).is_file()
    except OSError:
        return False


def _is_other(path: Path) -> bool:
    """Whether `path` can be read, and is a checkpoint by its name, or holds another format."""
    named = step_in(path.name) is not None or tokens_in(path.name) is not None
    try:
        return any(path.iterdir()) and (named or other_format(path) is not None)
    except OSError:
        return False


def series_of(
    paths: Sequence[Path], tokens: Sequence[int] | None, counts: TokenCounts
) -> list[CheckpointDirectory]:
    """The checkpoints in `paths`, by tokens; `tokens` are their counts, in the order given.

    Raises:
        InvalidInput: there is none, the tokens of one are unknown, two have the same tokens, or
            `tokens` are given for a folder of checkpoints, which has no order.
    """
    found = directories(paths)
    if not found:
        raise InvalidInput(_no_model(paths))
    folders = [path for path in paths if not _is_model(path)]
    if tokens is not None and folders:
        raise InvalidInput(
            f"--tokens: {folders[0]} is a folder of checkpoints, which has no order: name each "
            "checkpoint, in the order of its counts, or give --index"
        )
    if tokens is not None and len(tokens) == len(paths) > len(found):
        raise InvalidInput(
            f"--tokens: {_repeated(paths)} is named twice: name each checkpoint once"
        )
    if tokens is not None and len(tokens) != len(found):
        raise InvalidInput(f"--tokens: gives {len(tokens)} counts for {len(found)} checkpoints")
    trained = [counts.asked(path) for path in found] if tokens is None else map(Trained, tokens)
    pairs = zip(found, trained, strict=True)
    ordered = sorted((CheckpointDirectory(*pair) for pair in pairs), key=lambda one: one.tokens)
    for one, other in pairwise(ordered):
        if one.tokens == other.tokens:
            raise InvalidInput(
                f"{one.path} and {other.path}: are both of {one.tokens:,} tokens: leave one out, "
                "or give --tokens or --index"
            )
    return ordered


def _no_model(paths: Sequence[Path]) -> str:
    """That `paths` contain no model, with an example of what they contain instead."""
    wanted = f"contains no model directory (with a {CONFIG})"
    others = [other for path in paths for other in (path, *without_models(path))]
    for other in others:
        if other_format(other) is not None:
            return f"{other}: {lacks(other, CONFIG, wanted)}"
    return f"{', '.join(map(str, paths))}: {wanted}"


def _repeated(paths: Sequence[Path]) -> Path:
    """The first of `paths` that leads to the place of an earlier one."""
    places = [path.resolve() for path in paths]
    return next(path for n, path in enumerate(paths) if places[n] in places[:n])
