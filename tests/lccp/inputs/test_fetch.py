"""The places of a spec: found once per run, the same for all nodes and attempts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, hub_server
from manifests import BASE, changed

from lccp.api.invocation import StoreConfig
from lccp.api.objects.inputs import Inputs
from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import Conflict, InvalidInput
from lccp.contract.location import HubLocation
from lccp.inputs.fetch import fetched, pinned, read_in_place, remotes
from lccp.inputs.hub import Hub
from lccp.inputs.remote import Remote
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.objects import read, write

pytestmark = pytest.mark.slow

KEYS = RunKeys("default", "run")
CONFIG = StoreConfig(url="file://runs")
MODEL = {"config.json": b"{}", "model.safetensors": b"weights"}
DATA = {"train/a.jsonl": b"a", "train/b.jsonl": b"bb"}
PLACES = {
    "spec.model.source": "hf://org/base",
    "spec.data.sources[0].path": "hf://datasets/org/texts/train",
}


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with hub_server() as server:
        server.repository("models/org/base", MODEL)
        server.repository("datasets/org/texts", DATA)
        yield server


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    (tmp_path / "runs").mkdir()
    return FileStore(tmp_path / "runs")


def a_spec() -> LCCPRunSpec:
    return LCCPRun.parse(changed(BASE, PLACES), "run").spec


def given(hub: HubServer) -> dict[str, Remote]:
    locations = {
        "model.source": HubLocation("org/base", is_dataset=False),
        "data.sources[0].path": HubLocation("org/texts", is_dataset=True, path="train"),
    }
    return {field: Hub(location, field, hub.endpoint) for field, location in locations.items()}


@pytest.mark.parametrize(
    ("path", "form", "stays"),
    [
        ("s3://bucket/tokens", "Tokens", True),
        ("s3://bucket/texts", "JSONL", False),
        ("hf://datasets/org/texts/train", "Tokens", False),
        ("/data/tokens", "Tokens", False),
    ],
)
def test_only_tokens_in_a_bucket_stay_where_they_are(path: str, form: str, stays: bool) -> None:
    source = {"spec.data.sources[0].path": path, "spec.data.sources[0].format": form}
    spec = LCCPRun.parse(changed(BASE, source), "run").spec
    assert read_in_place(spec) == ({"data.sources[0].path"} if stays else set())


def test_places_that_are_paths_are_left_alone() -> None:
    assert remotes(LCCPRun.parse(BASE, "run").spec, CONFIG) == {}


def test_every_place_that_is_no_path_is_one_to_fetch_from() -> None:
    assert list(remotes(a_spec(), CONFIG)) == ["model.source", "data.sources[0].path"]


def test_what_the_first_process_found_is_what_the_others_read(
    hub: HubServer, store: FileStore
) -> None:
    first = pinned(store, KEYS, given(hub))
    hub.repositories["models/org/base"].commit(MODEL | {"config.json": b"[]"})

    assert pinned(store, KEYS, given(hub)) == first == read(store, KEYS.inputs, Inputs)
    assert first.inputs["data.sources[0].path"].size == 3


def test_a_place_that_the_object_does_not_tell_of_is_found(
    hub: HubServer, store: FileStore
) -> None:
    write(store, KEYS.inputs, Inputs(inputs={}))

    there = pinned(store, KEYS, given(hub))

    assert list(there.inputs) == list(given(hub))
    assert there == read(store, KEYS.inputs, Inputs)


@pytest.mark.parametrize(
    "corrected",
    [
        HubLocation("org/other", is_dataset=False),
        HubLocation("org/base", is_dataset=False, revision="main"),
    ],
)
def test_a_place_that_was_corrected_is_found_anew_and_the_others_stay(
    hub: HubServer, store: FileStore, corrected: HubLocation
) -> None:
    hub.repository("models/org/other", MODEL)
    first = pinned(store, KEYS, given(hub))
    hub.repositories["datasets/org/texts"].commit(DATA | {"train/c.jsonl": b"c"})
    places = given(hub) | {"model.source": Hub(corrected, "model.source", hub.endpoint)}

    there = pinned(store, KEYS, places)

    assert there.inputs["model.source"].location == corrected.url
    assert there.inputs["data.sources[0].path"] == first.inputs["data.sources[0].path"]
    assert there == read(store, KEYS.inputs, Inputs)


def test_two_runs_that_write_the_same_object_are_told(
    hub: HubServer, store: FileStore, tmp_path: Path
) -> None:
    class Taken(FileStore):
        """Another run writes whatever this one would."""

        def put_if_absent(self, key: str, data: bytes) -> str:
            write(store, KEYS.inputs, Inputs(inputs={}))
            raise Conflict("another was first")

    with pytest.raises(InvalidInput, match=r"inputs\.json has another data\.sources"):
        pinned(Taken(tmp_path / "runs"), KEYS, given(hub))


def test_a_fetched_spec_names_folders_and_tells_how_far_it_came(
    hub: HubServer, store: FileStore, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    places = given(hub)
    spec = fetched(
        a_spec(), places, pinned(store, KEYS, places), tmp_path, lambda *so_far: told.append(so_far)
    )

    assert (Path(spec.model.source) / "model.safetensors").read_bytes() == b"weights"
    assert (Path(spec.data.sources[0].path) / "b.jsonl").read_bytes() == b"bb"
    assert spec.data.sources[1] == a_spec().data.sources[1]
    assert told[-1] == (12, 12)
    assert told == sorted(told)
