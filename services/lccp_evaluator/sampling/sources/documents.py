"""Documents: from files, or made up."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.sources.builtin import paragraphs
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import SURROGATE


def documents(spec: Documents, files: Files, where: str, seed: str) -> Iterator[str]:
    """The documents of `spec`, whose field in the manifest is `where`, read from `files`.

    If it names no path, they are endless paragraphs, made from `seed`.

    Raises:
        InvalidInput: files are missing or damaged.
    """
    if spec.path is None:
        yield from paragraphs(spec.language, seed)
        return
    for path in files.opened(spec, f"{where}.path"):
        yield from _documents_in(path, spec, f"{where}.path: {path}")


def _documents_in(path: Path, spec: Documents, where: str) -> Iterator[str]:
    if spec.format == "Text":
        yield "".join(lines(path, where))
        return
    for number, line in enumerate(lines(path, where), start=1):
        if line.strip():
            yield _text_in(line, f"{where}, line {number}", spec.text_field)


def lines(path: Path, where: str) -> Iterator[str]:
    """Lines of a text file, compressed or not. Raises InvalidInput if it is no UTF-8 text."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig"
        ) as file:
            yield from file
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidInput(f"{where}: is not UTF-8 text, or damaged") from None
    except OSError as error:
        raise InvalidInput(f"{where}: cannot be read ({error.strerror})") from None


def _text_in(line: str, where: str, field: str) -> str:
    try:
        text = json.loads(line)[field]
    except (ValueError, KeyError, TypeError, RecursionError):
        text = None
    if not isinstance(text, str):
        raise InvalidInput(f"{where}: is not a JSON object with a text in {field!r}")
    if SURROGATE.search(text):
        raise InvalidInput(f"{where}: contains half of a surrogate pair, which is not text")
    return text
