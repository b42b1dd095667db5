"""Reading an LCCPRun from a manifest."""

from pathlib import Path
from typing import Any

import yaml

from lccp.api.labels import KIND
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput


def load_manifest(path: Path) -> LCCPRun:
    """The one LCCPRun among the YAML documents in `path`.

    Raises InvalidInput, in one sentence with the file and the field, if there is none or it is
    wrong.
    """
    runs = [d for d in documents(path) if isinstance(d, dict) and d.get("kind") == KIND]
    if len(runs) != 1:
        found = f"{len(runs)} documents" if runs else "no document"
        raise InvalidInput(f"{path}: holds {found} of kind {KIND}: it must hold one")
    return LCCPRun.parse(runs[0], str(path))


def documents(path: Path) -> list[Any]:
    """The YAML documents in `path`, as plain values. Raises InvalidInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not text in UTF-8") from None
    try:
        return list(yaml.safe_load_all(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInput(f"{path}: line {line}: is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise InvalidInput(f"{path}: is not YAML") from None
