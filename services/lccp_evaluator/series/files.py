"""The files of a Hugging Face directory that make up the model, and whether they are whole."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lccp.api.objects.report import FileStamp
from lccp.contract.errors import InvalidInput
from lccp.foreign_formats import lacks
from lccp.model_config import CONFIG
from lccp.store.directory import file_record, in_parallel
from lccp.store.local import refusal

WEIGHTS, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
NAMED_WEIGHTS = "transformers_weights"
"""The field of config.json that names the weights' file, or its index, in place of these."""
INDEX_SUFFIX = ".safetensors.index.json"
LOADED_SUFFIXES = (".safetensors", INDEX_SUFFIX)
GENERATION = "generation_config.json"
"""What ends a text that the model generates; likelihoods do not depend on it."""
BESIDE_WEIGHTS = (
    CONFIG,
    GENERATION,
    WEIGHTS_INDEX,
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.tiktoken",
    "*.py",
)
READERS = 4
HEADER_SIZE_BYTES = 8
HEADER_BYTES_MAX = 100_000_000
"""The limit of the format's own reader."""
DAMAGES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors of reading a damaged header as one."""


def model_files(directory: Path) -> dict[str, Path]:
    """The files of model and tokenizer in `directory`, by name: no README, no optimizer.

    Raises:
        InvalidInput: there is no config.json or weight, or a part of the weights is missing.
    """
    if not (directory / CONFIG).is_file():
        wanted = "give a directory of a model"
        raise InvalidInput(f"{directory}: {lacks(directory, CONFIG, wanted)}")
    weights = [directory / name for name in weight_names(directory)]
    beside = [path for pattern in BESIDE_WEIGHTS for path in directory.glob(pattern)]
    named = _named_weights(directory)
    beside += [directory / named] if named else []
    for path in weights:
        if not path.is_file():
            told = f"contains no {path.name}: it is not complete"
            if path.name == WEIGHTS:  # an index would show that the others are to come
                told = lacks(directory, WEIGHTS, "it is not complete")
            raise InvalidInput(f"{directory}: {told}")
    found = (path for path in sorted((*weights, *beside)) if path.is_file())
    return {path.relative_to(directory).as_posix(): path for path in found}


def weight_names(directory: Path) -> list[str]:
    """Names of the weights' files that transformers loads: one for all, or those of an index.

    Raises InvalidInput if config.json or the index is damaged, or names what is not loaded.
    """
    named = _named_weights(directory)
    path = directory / (named or WEIGHTS_INDEX)
    if named and not named.endswith(INDEX_SUFFIX):
        return [named]
    if not named and ((directory / WEIGHTS).is_file() or not path.is_file()):
        return [WEIGHTS]
    names = read_object(path).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise InvalidInput(f"{path}: names no weights (weight_map)")
    return sorted({Path(str(name)).name for name in names.values()})


def _named_weights(directory: Path) -> str | None:
    """The file of weights, or of their index, that config.json names; None: it names none."""
    named = read_object(directory / CONFIG).get(NAMED_WEIGHTS)
    if named is None:
        return None
    parts = Path(str(named)).parts
    if ".." in parts or parts[:1] == ("/",) or not str(named).endswith(LOADED_SUFFIXES):
        raise InvalidInput(
            f"{directory / CONFIG}: {NAMED_WEIGHTS} is {named!r}, but must be a safetensors file, "
            "or the index of several, in this directory"
        )
    return str(named)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises InvalidInput."""
    with _readable(path):
        data = path.read_bytes()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput(f"{path}: is not a JSON object: it is damaged or cut short")
    return document


def stamps(directory: Path) -> dict[str, FileStamp]:
    """Size and time of each file of the model. Raises InvalidInput."""
    found = {}
    for name, path in model_files(directory).items():
        with _readable(path):
            status = path.stat()
        found[name] = FileStamp(size=status.st_size, modified_ns=status.st_mtime_ns)
    return found


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise InvalidInput, naming the file, for what the system says against reading it, or
    DiskFailed.
    """
    try:
        yield
    except OSError as error:
        raise refusal(error, f"{path}: can't be read") from None


def stamps_or_none(directory: Path) -> dict[str, FileStamp] | None:
    """The model's files as they are now; None if it is gone or damaged."""
    try:
        return stamps(directory)
    except InvalidInput:
        return None


def are_equal(
    one: Mapping[str, FileStamp], other: Mapping[str, FileStamp], generates: bool
) -> bool:
    """Whether these stamps are of the same files, in so far as `digest` reads them."""
    differing = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    return differing <= (set() if generates else {GENERATION})


def digest(directory: Path, tick: Callable[[], None] = lambda: None, generates: bool = True) -> str:
    """SHA-256 over names and contents of the model's files.

    Unless the model `generates`, what only matters for that is left out. `tick` is called every
    second; an exception from it ends the reading after the files in hand. Raises InvalidInput.
    """
    files = model_files(directory)
    if not generates:
        files.pop(GENERATION, None)
    read = in_parallel(lambda name: (name, file_record(files[name])), files, READERS, tick)
    lines = (f"{name} {record.sha256}\n" for name, record in sorted(read))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class ModelDigests:
    """Digests of models, each computed again only when its files changed; see `digest`."""

    def __init__(self, tick: Callable[[], None] = lambda: None, generates: bool = True) -> None:
        self._tick, self._generates = tick, generates
        self._known: dict[Path, tuple[dict[str, FileStamp], str]] = {}

    def of(self, directory: Path) -> str:
        """The digest of the model in `directory`. Raises InvalidInput."""
        files = stamps(directory)
        known, found = self._known.get(directory, (None, ""))
        if known != files:
            found = digest(directory, self._tick, self._generates)
            self.note(directory, files, found)
        return found

    def note(self, directory: Path, files: dict[str, FileStamp], found: str) -> None:
        """Remember that the digest of `directory` with `files` is `found`."""
        self._known[directory] = files, found


def check_whole(directory: Path) -> None:
    """Raise InvalidInput unless every file of weights has the size given by its header."""
    files = model_files(directory)
    for name in weight_names(directory):
        with _readable(files[name]):
            expected, size = _size_told(files[name]), os.path.getsize(files[name])
        if expected is None:
            raise InvalidInput(
                f"{files[name]}: is cut short or damaged: its first bytes are no whole header"
            )
        if expected != size:
            raise InvalidInput(
                f"{files[name]}: is {'damaged' if size > expected else 'cut short'}: it has "
                f"{size:,} bytes, its header says {expected:,}"
            )


def _size_told(path: Path) -> int | None:
    """Bytes of a safetensors file by its header; None if there is no whole header.

    The format: 8 bytes with the header's size N, N bytes of JSON, then the tensors' bytes.
    """
    with path.open("rb") as file:
        size = int.from_bytes(file.read(HEADER_SIZE_BYTES), "little")
        if size > HEADER_BYTES_MAX:
            return None
        try:
            header = json.loads(file.read(size))
            ends = [int(v["data_offsets"][1]) for k, v in header.items() if k != "__metadata__"]
        except DAMAGES:
            return None
    return HEADER_SIZE_BYTES + size + max(ends, default=0)
