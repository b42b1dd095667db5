"""The identity of a run: the part of its spec that gives its numbers their meaning.

It is stored when the run starts, and compared by value: both sides are parsed with today's types,
so that a field that was added since takes its default on both. The rest of the spec says how the
run is carried out; together they make up the spec.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.base import Contract
from lccp.contract.changes import Change
from lccp.contract.quantities import TOKENS_MAX
from lccp.contract.schema import fields, structural

NOT_STORED = "checkpoints.storeName"
"""Objects in a store do not depend on the installation's name for that store."""

REQUIRED_BESIDE = {
    "training": {"tokens": TOKENS_MAX},
    "source": {"path": ".", "untilTokens": TOKENS_MAX},
    "checkpoints": {"everyTokens": 1},
}
"""Placeholders for required fields outside the identity, so that it can be parsed by itself."""

VALUE_LENGTH_MAX = 60


@dataclass(frozen=True)
class Difference:
    """A field with two different values; a missing one is None."""

    path: str
    there: Any
    here: Any

    def __str__(self) -> str:
        there, here = _shown(self.there, self.here), _shown(self.here, self.there)
        return f"{self.path} is {there} there and {here} here"


@cache
def classes() -> Mapping[str, Change]:
    """The class of every field of the spec, by its path."""
    spec = structural(LCCPRun)["properties"]["spec"]
    return {f.path[1:]: f.change for f in fields(spec) if f.change is not None}


def identity_of(spec: LCCPRunSpec) -> dict[str, Any]:
    """The identity, as JSON types."""
    return _part(
        spec.document(), lambda path: classes()[path] is Change.IDENTITY and path != NOT_STORED
    )


def settings_of(spec: LCCPRunSpec) -> dict[str, Any]:
    """All of the spec except its identity, as JSON types."""
    return _part(
        spec.document(), lambda path: classes()[path] is not Change.IDENTITY or path == NOT_STORED
    )


def spec_of(identity: Mapping[str, Any], where: str) -> LCCPRunSpec:
    """A spec with this stored identity and placeholder settings. Raises InvalidInput."""
    absent = "training" if "source" in identity else "source"
    beside = {name: part for name, part in REQUIRED_BESIDE.items() if name != absent}
    return LCCPRunSpec.parse_stored(merged(beside, identity), where)


def joined(identity: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> LCCPRunSpec:
    """The spec with this stored identity and these settings. Raises InvalidInput."""
    own = identity_of(spec_of(identity, where))
    return LCCPRunSpec.parse_stored(merged(settings, own), where)


def left_out(stored: Mapping[str, Any], spec: Contract, path: str = "") -> list[str]:
    """Fields stored at `path` that `spec`, parsed from there, lacks: from a newer version."""
    found = differences(stored, spec.document(), path)
    return [difference.path for difference in found if difference.here is None]


def is_given(spec: LCCPRunSpec, path: str) -> bool:
    """Whether the field exists and differs from its default."""
    found: Any = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(found, list):
            found = dict(enumerate(found)).get(int(part))
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found is not None


def settings_digest(spec: LCCPRunSpec) -> str:
    """SHA-256 of all of the spec except its identity, as canonical JSON."""
    return digest_of(settings_of(spec))


def identity_differences(stored: Mapping[str, Any], spec: LCCPRunSpec) -> list[Difference]:
    """How the identity of `spec` differs from a stored one. Raises InvalidInput."""
    here = identity_of(spec)
    if stored == here:
        return []
    return list(differences(identity_of(spec_of(stored, "run.json")), here))


def differences(there: Any, here: Any, path: str = "") -> Iterator[Difference]:
    """The values that differ, down to the innermost field: `data.sources[0].path`."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted(there.keys() | here.keys()):
            below = f"{path}.{key}" if path else key
            yield from differences(there.get(key), here.get(key), below)
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for index, (old, new) in enumerate(zip(there, here, strict=True)):
            yield from differences(old, new, f"{path}[{index}]")
    elif there != here:
        yield Difference(path, there, here)


def changed_settings(stored: Mapping[str, Any], spec: LCCPRunSpec) -> list[Difference]:
    """Fields of `spec` that take effect only at the next attempt, and differ from an attempt's.

    Raises InvalidInput if the stored settings are damaged.
    """
    here = settings_of(spec)
    if stored == here:
        return []
    there = settings_of(joined(identity_of(spec), stored, "settings"))
    return [d for d in differences(there, here) if _is_of_an_attempt(d.path)]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` merged into `base`: objects key by key, anything else replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of an identity, or of settings, as canonical JSON."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _part(
    document: Mapping[str, Any], wanted: Callable[[str], bool], path: str = ""
) -> dict[str, Any]:
    """The wanted fields of `document`; an object with both kinds of fields is descended into."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        below = f"{path}.{key}" if path else key
        if isinstance(value, Mapping) and _is_mixed(below):
            part = _part(value, wanted, below)
            found |= {key: part} if part else {}
        elif wanted(below):
            found[key] = value
    return found


def _is_of_an_attempt(path: str) -> bool:
    """Whether the field affects the gang from its next attempt on."""
    if path.partition(".")[0] not in ("training", "source", "topology", "checkpoints"):
        return False
    plain = re.sub(r"\[[0-9]+\]", "", path)
    while plain not in classes():
        plain = plain.rpartition(".")[0]
    return classes()[plain] is Change.NEXT_ATTEMPT


@cache
def _is_mixed(path: str) -> bool:
    """Whether the fields below have several classes."""
    below = {change for name, change in classes().items() if name.startswith(f"{path}.")}
    return len(below) > 1


def _shown(value: Any, other: Any) -> str:
    """The value, abbreviated; for a long one, the part where it starts to differ from the other."""
    text, against = _text(value), _text(other)
    if len(text) <= VALUE_LENGTH_MAX:
        return text
    pairs = zip(text, against, strict=False)
    differs = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(text), len(against)))
    start = max(0, min(differs - VALUE_LENGTH_MAX // 3, len(text) - VALUE_LENGTH_MAX))
    end = start + VALUE_LENGTH_MAX
    return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _text(value: Any) -> str:
    return "not set" if value is None else repr(value)
