"""Lengths of prompts: what manifests may request, and the grids that follow from a context."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, enabled, let
from lccp.contract.errors import InvalidInput
from lccp.contract.quantities import LENGTH, ContextLength
from lccp.probes.probe import Contexts

SHORTEST = 256
"""Of the grids here, in tokens: room for a needle, its question and its answer."""
FIRST = 1_024

Lengths = Annotated[tuple[ContextLength, ...], Field(max_length=32)]

SPEC = "self.evaluation.probes"
TARGET = LENGTH.cel_at("self.model.targetContextLength")

REPEATED = "lengths must be distinct"
COUNTS = f"self.lengths.map(n, {LENGTH.cel('n')})"
DISTINCT = Rule(
    let("counts", COUNTS, f"-1 in counts || {distinct('counts')}"), REPEATED, ".lengths"
)


def check_distinct(lengths: Sequence[int]) -> None:
    """Raise ValueError if a length occurs twice; `DISTINCT` is the same in CEL."""
    if len(set(lengths)) < len(lengths):
        raise ValueError(REPEATED)


def grid(target: int, parts: int) -> tuple[int, ...]:
    """Powers of two from 1K to a quarter of `target`, then steps of `target / parts` up to it.

    With eight parts and a target of 64K: 1, 2, 4, 8, 16, 24, … 64K. No length but the target itself
    is less than 256 tokens.
    """
    small = [FIRST << n for n in range(target.bit_length()) if FIRST << n < target / 4]
    even = [round(target * part / parts) for part in range(-(-parts // 4), parts + 1)]
    fit = {length for length in (*small, *even) if length >= SHORTEST}
    return tuple(sorted(fit | {target}))


def beyond(path: str) -> str:
    """The message about a length that is too long; `path` starts below the whole spec."""
    return f"evaluation.probes.{path} exceeds model.targetContextLength"


def within_target(probe: str, field: str = "lengths") -> Rule:
    """The rule about the whole spec that no length of a probe exceeds the target."""
    path = field_path(probe, field)
    within = f"target < 0 || {SPEC}.{path}.all(n, {LENGTH.cel('n')} <= target)"
    return _rule(probe, path, let("target", TARGET, within))


def one_within_target(probe: str, field: str) -> Rule:
    """`within_target` for a field that holds one length, or none."""
    path = field_path(probe, field)
    own = LENGTH.cel_at(f"{SPEC}.{path}")
    within = let("target", TARGET, f"target < 0 || {own} <= target")
    return _rule(probe, path, f"!has({SPEC}.{path}) || {within}")


def _rule(probe: str, path: str, within: str) -> Rule:
    asked = enabled(f"{SPEC}.{to_camel(probe)}")
    return Rule(f"!({asked}) || {within}", beyond(path), f".evaluation.probes.{path}")


def field_path(probe: str, field: str) -> str:
    """Path of a probe's field in a manifest, below the probes: `corpusPpl.guardLength`."""
    return f"{to_camel(probe)}.{to_camel(field)}"


def fits(probe: str, *fields: str) -> Callable[[Contract, int], str | None]:
    """The same in Python: what is wrong with the settings of `probe` for a target, or None."""

    def wrong(settings: Contract, target: int) -> str | None:
        found = (
            _too_long(_lengths(getattr(settings, field)), target, field_path(probe, field))
            for field in fields
        )
        return next(filter(None, found), None)

    return wrong


def _lengths(given: Sequence[int] | int | None) -> Sequence[int]:
    if given is None:
        return ()
    return (given,) if isinstance(given, int) else given


def _too_long(lengths: Sequence[int], target: int, path: str) -> str | None:
    too_long = [length for length in lengths if length > target]
    return f"{beyond(path)} ({too_long[0]:,} > {target:,})" if too_long else None


def resolved(
    lengths: Sequence[int], default: Sequence[int], contexts: Contexts, path: str
) -> tuple[int, ...]:
    """`lengths` in ascending order, or `default` if there are none.

    Raises:
        InvalidInput: one exceeds the target context, or the context that the model's own
            configuration names.
    """
    used = tuple(sorted(set(lengths))) or tuple(default)
    if wrong := _too_long(used, contexts.target, path):
        raise InvalidInput(wrong)
    if used[-1] > contexts.model:
        raise InvalidInput(
            f"evaluation.probes.{path}: {used[-1]} exceeds the {contexts.model} tokens of the "
            "checkpoint's config.json (max_position_embeddings)"
        )
    return used
