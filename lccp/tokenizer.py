"""What decides how a model's tokenizer turns text into tokens, as one digest."""

import hashlib
import json
from pathlib import Path
from typing import Any

from lccp.contract.errors import InvalidInput

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt")


def tokenizer_digest(directory: Path) -> str:
    """SHA-256 of the tokenizer in `directory`; the same after a tokenizer is saved again.

    Raises:
        InvalidInput: there is no tokenizer, or it is damaged.
    """
    files = [directory / name for name in TOKENIZER_FILES if (directory / name).is_file()]
    if not files:
        raise InvalidInput(f"{directory}: contains no tokenizer ({', '.join(TOKENIZER_FILES)})")
    if files[0].name == TOKENIZER_FILES[0]:
        return hashlib.sha256(_essence(files[0])).hexdigest()
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def _essence(path: Path) -> bytes:
    try:
        document: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidInput(f"{path}: is not a tokenizer in JSON: it is damaged or cut short")
    kept = {key: value for key, value in document.items() if key not in ("truncation", "padding")}
    return json.dumps(kept, sort_keys=True).encode()
