"""Files in YAML, read as kubectl reads them."""

import re
from pathlib import Path
from typing import Any

import yaml

from lccp.contract.errors import InvalidInput

INT, FLOAT, TIMESTAMP = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "timestamp"))
INTEGER = re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$")
NUMBER = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$")


class KubernetesLoader(yaml.SafeLoader):
    """Reads plain scalars as kubectl does: `1e-5` is a number, a date and `1:30` are strings."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in (INT, FLOAT, TIMESTAMP)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a key that occurs twice, as kubectl does, rather than take the last one."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"the key {key.value!r} occurs twice in one mapping"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


KubernetesLoader.add_implicit_resolver(INT, INTEGER, list("-+0123456789"))
KubernetesLoader.add_implicit_resolver(FLOAT, NUMBER, list("-+0123456789."))


def documents(path: Path) -> list[Any]:
    """The YAML documents in `path`, as plain values. Raises InvalidInput."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text") from None
    try:
        return list(yaml.load_all(text, KubernetesLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidInput(f"{path}: line {line}: is not YAML: {error.problem}") from None
    except yaml.YAMLError:
        raise InvalidInput(f"{path}: is not YAML") from None


def document(path: Path) -> Any:
    """The only YAML document in `path`, as a plain value. Raises InvalidInput."""
    found = documents(path)
    if len(found) != 1:
        raise InvalidInput(f"{path}: contains {len(found)} YAML documents; it must contain one")
    return found[0]
