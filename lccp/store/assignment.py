"""What a process of a run works on, read from the store: its spec, and what it is asked.

`run.json` holds the identity; `control/<attempt>.json` how the attempt is carried out.
"""

from lccp.api.identity import joined, spec_of
from lccp.api.objects.journal import Control
from lccp.api.objects.run import RunIdentity
from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput, NotFound
from lccp.store.keys import RunKeys
from lccp.store.objects import read
from lccp.store.port import Store


def attempt_spec(store: Store, keys: RunKeys, attempt: int) -> LCCPRunSpec:
    """The spec that the trainer of an attempt works by.

    Raises:
        InvalidInput: one of the two objects is missing, or damaged.
        StoreUnavailable: the store does not answer.
    """
    identity, key = _identity(store, keys), keys.control(attempt)
    try:
        control = read(store, key, Control)
    except NotFound:
        raise InvalidInput(_missing(store, key)) from None
    return joined(identity.identity, control.settings or {}, key)


def identity_spec(store: Store, keys: RunKeys) -> LCCPRunSpec:
    """A spec with the identity of the run, for who asks for nothing else. Raises as above."""
    return spec_of(_identity(store, keys).identity, keys.identity)


def _identity(store: Store, keys: RunKeys) -> RunIdentity:
    try:
        return read(store, keys.identity, RunIdentity)
    except NotFound:
        raise InvalidInput(_missing(store, keys.identity)) from None


def _missing(store: Store, key: str) -> str:
    return f"{store.url}: there is no {key}, which whoever starts a run writes first"
