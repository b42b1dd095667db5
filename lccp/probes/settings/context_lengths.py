"""Lengths of prompts: what manifests may ask for, and the grids that follow from a context."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from lccp.contract.cel import Rule, distinct, enabled, let
from lccp.contract.errors import InvalidInput
from lccp.contract.quantities import LENGTH, ContextLength
from lccp.probes.probe import Contexts

SHORTEST = 256
"""Of the grids here, in tokens: room for a needle, its question and its answer."""
FIRST = 1_024

Lengths = Annotated[tuple[ContextLength, ...], Field(max_length=32)]

REPEATED = "lengths must be distinct"
COUNTS = f"self.lengths.map(n, {LENGTH.cel('n')})"
DISTINCT = Rule(
    let("counts", COUNTS, f"-1 in counts || {distinct('counts')}"), REPEATED, ".lengths"
)


def check_distinct(lengths: Sequence[int]) -> None:
    """Raise ValueError if a length comes twice; `DISTINCT` is the same in CEL."""
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
    """The sentence about a length that is too long; `path` lies below the whole spec."""
    return f"evaluation.probes.{path} lies beyond model.targetContextLength"


def within_target(probe: str, field: str = "lengths") -> Rule:
    """The rule about the whole spec that no length of a probe lies beyond the target."""
    path = f"self.evaluation.probes.{probe}"
    target = LENGTH.cel_at("self.model.targetContextLength")
    within = f"target < 0 || {path}.{field}.all(n, {LENGTH.cel('n')} <= target)"
    rule = let("target", target, within)
    return Rule(
        f"!({enabled(path)}) || {rule}",
        beyond(f"{probe}.{field}"),
        f".evaluation.probes.{probe}.{field}",
    )


def one_within_target(probe: str, field: str) -> Rule:
    """`within_target` for a field that holds one length, or none."""
    path = f"self.evaluation.probes.{probe}"
    target = LENGTH.cel_at("self.model.targetContextLength")
    own = LENGTH.cel_at(f"{path}.{field}")
    rule = let("target", target, f"target < 0 || {own} <= target")
    where = f".evaluation.probes.{probe}.{field}"
    return Rule(
        f"!({enabled(path)}) || !has({path}.{field}) || {rule}", beyond(f"{probe}.{field}"), where
    )


def check_within_target(lengths: Sequence[int], target: int, path: str) -> str | None:
    """`within_target` in Python: what is wrong, or None."""
    too_long = [length for length in lengths if length > target]
    return f"{beyond(path)} ({too_long[0]:,} > {target:,})" if too_long else None


def check_each_within_target(
    given: Mapping[str, int | None], target: int, probe: str
) -> str | None:
    """The same of single lengths, by their fields of `probe`; None for one that is not given."""
    wrong = (
        check_within_target((length,), target, f"{probe}.{field}")
        for field, length in given.items()
        if length is not None
    )
    return next((sentence for sentence in wrong if sentence), None)


def resolved(
    lengths: Sequence[int], default: Sequence[int], contexts: Contexts, path: str
) -> tuple[int, ...]:
    """`lengths` in ascending order, or `default` if there are none.

    Raises:
        InvalidInput: one lies beyond the target context, or beyond the context that the model's own
            configuration names.
    """
    used = tuple(sorted(set(lengths))) or tuple(default)
    if wrong := check_within_target(used, contexts.target, path):
        raise InvalidInput(wrong)
    if used[-1] > contexts.model:
        raise InvalidInput(
            f"evaluation.probes.{path}: {used[-1]} lies beyond the {contexts.model} tokens of the "
            "checkpoint's config.json (max_position_embeddings)"
        )
    return used
