"""A process's assignment, read from the store: its run's spec, and the requests to it.

`run.json` holds the identity; `control/<attempt>.json` says how the attempt is carried out, and
`sft/<tokens>/control/<attempt>.json` the same for one that fine-tunes.
"""

from collections.abc import Iterator
from contextlib import suppress

from pydantic_core import from_json

from lccp.api.identity import joined, left_out, merged, spec_of
from lccp.api.objects.journal import Control
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import Heartbeat
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.contract.errors import InvalidInput, NotFound, StoreRefused
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys, TrainingKeys
from lccp.store.objects import read
from lccp.store.port import Store


def attempt_spec(store: Store, keys: RunKeys | BranchKeys, attempt: int) -> LCCPRunSpec:
    """The run's spec as the trainer of an attempt, of the run or of a branch, follows it.

    Raises:
        StoreRefused: one of the two objects is missing: the store leads to another place.
        InvalidInput: one of them is damaged.
        StoreUnavailable: the store does not answer.
    """
    key = keys.control(attempt)
    run = keys.run if isinstance(keys, BranchKeys) else keys
    return _joined(store, run, _control(store, key), key)


def unknown_fields(
    store: Store, keys: RunKeys | BranchKeys | FineTuningKeys, attempt: int
) -> tuple[str, ...]:
    """Fields that the attempt was ordered with, and that this version does not know and ignores.

    Of the run's spec, and below `sft` of its fine-tuning. Raises as above.
    """
    key, run = keys.control(attempt), keys if isinstance(keys, RunKeys) else keys.run
    identity, control = _identity(store, run).identity, _control(store, key)
    settings = control.settings or {}
    found = left_out(merged(settings, identity), joined(identity, settings, key))
    if control.sft is not None:
        found += left_out(from_json(store.get(key))["sft"], control.sft, "sft")
    return tuple(found)


def known_state(store: Store, keys: TrainingKeys, attempt: int) -> int:
    """Tokens of the newest state that the store is known to have held; 0: none is known.

    By whoever made the attempt's gang, or by the attempt's last writer that looked for states: a
    queue may have taken that one's pods. Raises as above.
    """
    known = _control(store, keys.control(attempt)).newest_state or 0
    for beat in _heartbeats(store, keys, attempt):
        if beat.knows_states:
            known = max(beat.states, default=0)
    return known


def fine_tuning_specs(
    store: Store, keys: FineTuningKeys, attempt: int
) -> tuple[LCCPRunSpec, SFTSpec]:
    """The specs of the run, and of the fine-tuning of an attempt. Raises as above."""
    key = keys.control(attempt)
    control = _control(store, key)
    if control.sft is None:
        raise InvalidInput(f"{store.url}: {key} has no sft: it says how the model is fine-tuned")
    return _joined(store, keys.run, control, key), control.sft


def identity_spec(store: Store, keys: RunKeys) -> LCCPRunSpec:
    """A spec with the identity of the run, for callers that need nothing else. Raises as above."""
    return spec_of(_identity(store, keys).identity, keys.identity)


def check_place(store: Store, keys: RunKeys) -> None:
    """Raise StoreRefused if the store holds no such run; as above, if its `run.json` is damaged."""
    _identity(store, keys)


def unknown_probe_fields(store: Store, keys: RunKeys) -> tuple[str, ...]:
    """Fields of the evaluation that this version does not know and ignores. Raises as above."""
    identity = _identity(store, keys).identity
    unknown = left_out(identity, spec_of(identity, keys.identity))
    return tuple(path for path in unknown if path.startswith("evaluation."))


def _heartbeats(store: Store, keys: TrainingKeys, attempt: int) -> Iterator[Heartbeat]:
    """Those of an attempt's writers that can be read, the newest last."""
    found = store.list(f"{keys.trainings}a{attempt}-")
    for info in sorted(found, key=lambda info: info.modified):
        if info.key.endswith("/heartbeat.json"):
            with suppress(InvalidInput, NotFound):
                yield read(store, info.key, Heartbeat)


def _joined(store: Store, keys: RunKeys, control: Control, key: str) -> LCCPRunSpec:
    return joined(_identity(store, keys).identity, control.settings or {}, key)


def _control(store: Store, key: str) -> Control:
    try:
        return read(store, key, Control)
    except NotFound:
        raise StoreRefused(_missing(store, key)) from None


def _identity(store: Store, keys: RunKeys) -> RunIdentity:
    try:
        return read(store, keys.identity, RunIdentity)
    except NotFound:
        raise StoreRefused(_missing(store, keys.identity)) from None


def _missing(store: Store, key: str) -> str:
    return f"{store.url}: there is no {key}, which whoever starts a run writes first"
