"""Signals of both bands: the same of contexts beyond the source context, and of those within it."""

from collections.abc import Iterable

from lccp.contract.signals import Role, Signal

SUFFIX = "_guard"
"""Of a name in the guard band, ahead of a part of its own: `multi_key_ppl_guard/4`."""


def both(declared: Iterable[Signal]) -> tuple[Signal, ...]:
    """`declared` in the extension band, then their counterparts in the guard band.

    Of the latter, the primary one is a guard, and the others are only shown.
    """
    extension = tuple(one.model_copy(update={"band": "extension"}) for one in declared)
    return (*extension, *map(_guard, extension))


def _guard(signal: Signal) -> Signal:
    name, slash, part = signal.name.partition("/")
    own = {
        "name": f"{name}{SUFFIX}{slash}{part}",
        "title": f"{signal.title}, guard band",
        "role": Role.GUARD if signal.role is Role.PRIMARY else Role.SHOWN,
        "band": "guard",
    }
    return Signal.model_validate(signal.model_dump() | own)


def quantity(signal: Signal) -> str:
    """What is measured in either band: `multi_key_ppl` of `multi_key_ppl_guard/4`."""
    return signal.name.partition("/")[0].removesuffix(SUFFIX)
