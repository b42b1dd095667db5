"""A spec whose locations in buckets and hubs are replaced by folders of this machine."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from lccp.api.invocation import StoreConfig
from lccp.api.objects.inputs import Inputs
from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp.contract.location import BucketLocation, remote_location
from lccp.inputs.bucket import Bucket
from lccp.inputs.cache import cached
from lccp.inputs.hub import Hub
from lccp.inputs.ranges import part_of
from lccp.inputs.remote import Remote, of_a_model, of_an_index, of_documents
from lccp.store.keys import RunKeys
from lccp.store.objects import read, read_versioned, write_if_absent, write_if_match
from lccp.store.port import Store

MODEL = "model.source"

BytesProgress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in total."""


def remotes(spec: LCCPRunSpec, config: StoreConfig, hub: str | None = None) -> dict[str, Remote]:
    """The locations of `spec` to fetch, by field.

    Args:
        config: of the run's store.
        hub: URL of the hub; None: Hugging Face's own.
    """
    return {field: remote_of(text, config, hub, field) for field, text in _places(spec)}


def remote_of(text: str, config: StoreConfig, hub: str | None, where: str) -> Remote:
    """The location that `text` names. Raises InvalidInput if it is a path, or is unreachable."""
    location = remote_location(text)
    if location is None:
        raise InvalidInput(f"{where}: {text} is a path")
    return (
        Bucket(location, config, where)
        if isinstance(location, BucketLocation)
        else Hub(location, where, hub)
    )


def pinned(store: Store, keys: RunKeys, given: Mapping[str, Remote]) -> Inputs:
    """The inputs at the given locations, as the run's first process found them.

    A location that has changed in the spec since then is looked up again. Raises as `Remote`.
    """
    with suppress(Conflict):  # another node was first
        _pin(store, keys.inputs, given)
    there = read(store, keys.inputs, Inputs)
    other = sorted(_unpinned(given, there))
    if other:
        raise InvalidInput(
            f"{store.url}: {keys.inputs} has another {other[0]}, written meanwhile by another run: "
            "use a separate prefix for each run"
        )
    return there


def _pin(store: Store, key: str, given: Mapping[str, Remote]) -> None:
    try:
        there = read_versioned(store, key, Inputs)
    except NotFound:
        write_if_absent(store, key, found(given))
        return
    if unpinned := _unpinned(given, there.value):
        kept = {field: one for field, one in there.value.inputs.items() if field in given}
        inputs = Inputs(inputs=kept | found(unpinned).inputs)
        write_if_match(store, key, inputs, there.etag)


def _unpinned(given: Mapping[str, Remote], there: Inputs) -> dict[str, Remote]:
    urls = {field: one.location for field, one in there.inputs.items()}
    return {field: remote for field, remote in given.items() if remote.url != urls.get(field)}


def found(given: Mapping[str, Remote]) -> Inputs:
    """The current inputs at the given locations. Raises as `Remote`."""
    wanted = {MODEL: of_a_model}
    return Inputs(inputs={f: r.find(wanted.get(f, of_documents)) for f, r in given.items()})


def fetched(
    spec: LCCPRunSpec,
    given: Mapping[str, Remote],
    inputs: Inputs,
    directory: Path,
    progress: BytesProgress,
    in_place: Collection[str] = (),
) -> LCCPRunSpec:
    """`spec` with a folder below `directory` instead of each of the given locations.

    Args:
        in_place: fields of sources whose tokens stay in their bucket.

    Raises as `cached`.
    """
    needed = {field: inputs.inputs[field] for field in given}
    wanted = {field: of_an_index if field in in_place else None for field in given}
    sizes = {f: (part_of(one, w) if (w := wanted[f]) else one).size for f, one in needed.items()}
    total, before = sum(sizes.values()), 0
    folders: dict[str, str] = {}
    for field, one in needed.items():
        tick = _ticking(progress, before, total)
        folder = cached(one, given[field], directory, field, tick, wanted[field])
        folders[field] = str(folder)
        before += sizes[field]
        progress(before, total)
    return located(spec, folders)


def read_in_place(spec: LCCPRunSpec) -> frozenset[str]:
    """Fields of the sources in buckets that are tokenized already: a process reads its rows."""
    return frozenset(
        _field(number)
        for number, source in enumerate(spec.mixture.sources)
        if source.format == "Tokens" and isinstance(remote_location(source.path), BucketLocation)
    )


def located(spec: LCCPRunSpec, folders: Mapping[str, str]) -> LCCPRunSpec:
    """`spec` with other locations, by field."""
    source = folders.get(MODEL, spec.model.source)
    sources = tuple(
        one.model_copy(update={"path": folders.get(_field(number), one.path)})
        for number, one in enumerate(spec.mixture.sources)
    )
    return spec.model_copy(
        update={
            "model": spec.model.model_copy(update={"source": source}),
            "data": spec.mixture.model_copy(update={"sources": sources}),
        }
    )


def _ticking(progress: BytesProgress, before: int, total: int) -> Callable[[int], None]:
    return lambda here: progress(before + here, total)


def _places(spec: LCCPRunSpec) -> Iterator[tuple[str, str]]:
    places = [(MODEL, spec.model.source)]
    places += [
        (_field(number), source.path)
        for number, source in enumerate(spec.mixture.sources)
        if spec.mixture.share(source) > 0
    ]
    yield from ((field, text) for field, text in places if remote_location(text) is not None)


def _field(number: int) -> str:
    return f"data.sources[{number}].path"
