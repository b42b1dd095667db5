"""`lccp-train` with a model and documents from a hub."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer, hub_server
from seaweedfs import SeaweedFS
from trainer_world import BATCH_ROWS, ROW, World

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.objects.inputs import Inputs
from lccp.api.objects.training import Heartbeat
from lccp.api.run import LCCPRun
from lccp.store.directory import upload_directory
from lccp.store.objects import read
from lccp_trainer.ends import Stopped, end_of
from lccp_trainer.launch.fetching import Fetching
from lccp_trainer.launch.tokens import prepare_sources

SOURCES = [
    {"name": "long", "kind": "Long", "path": "hf://datasets/org/texts/long.jsonl"},
    {"name": "short", "kind": "Short", "path": "data/short.jsonl.gz"},
]
STARTED_SECONDS = 100.0
"""How long ago the launcher began."""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def hub(tiny: Path) -> Iterator[HubServer]:
    with hub_server() as server:
        server.repository("models/org/base", files(tiny / "model"))
        server.repository("datasets/org/texts", files(tiny / "data"))
        yield server


def document(world: World, source: str = "hf://org/base") -> dict[str, Any]:
    return world.document(
        model={"source": source},
        data={"sources": SOURCES},
        training={"tokens": 2 * BATCH_ROWS * ROW},
        topology={"nodes": 1},
        checkpoints={"everyTokens": 2 * BATCH_ROWS * ROW},
    )


@pytest.mark.long
def test_a_run_trains_on_what_it_fetched_and_says_what_that_was(
    new_world: Callable[[], World], hub: HubServer, tmp_path: Path
) -> None:
    world = new_world()
    attempt = world.start(document(world), HF_ENDPOINT=hub.endpoint, LCCP_CACHE=str(tmp_path))

    assert attempt.wait() == ExitCode.OK, attempt.log
    assert attempt.end.result is Cause.COMPLETED
    model = read(world.store, "default/run/inputs.json", Inputs).inputs["model.source"]
    assert model.revision == hub.repositories["models/org/base"].head


@pytest.mark.long
def test_a_model_that_the_hub_has_not_ends_the_attempt_as_wrong_input(
    new_world: Callable[[], World], hub: HubServer, tmp_path: Path
) -> None:
    world = new_world()
    attempt = world.start(
        document(world, "hf://org/none"), HF_ENDPOINT=hub.endpoint, LCCP_CACHE=str(tmp_path)
    )

    assert attempt.wait() == ExitCode.CONFIGURATION, attempt.log
    assert "model.source: hf://org/none: the hub shows no such repository" in attempt.end.message


@pytest.mark.s3
@pytest.mark.long
def test_a_run_trains_on_tokens_that_stay_in_their_bucket(
    new_world: Callable[[], World], seaweedfs: SeaweedFS, tmp_path: Path
) -> None:
    steps = {"training": {"tokens": 4 * BATCH_ROWS * ROW}, "topology": {"nodes": 1}}
    local, remote = new_world(), new_world()
    remote.bucket = seaweedfs.config("in-place", seaweedfs.credentials(tmp_path / "keys"))
    spec = LCCPRun.parse(local.document(**steps), "run").spec
    documents = []
    for world in (local, remote):
        sources = []
        for prepared in prepare_sources(spec, world.root, world.root / "tokens"):
            source = prepared.source.model_dump(include={"name", "kind"})
            path = str(prepared.folder)
            if world is remote:
                upload_directory(remote.store, prepared.folder, f"tokens/{prepared.source.name}")
                path = f"{remote.store.url}/tokens/{prepared.source.name}"
            sources.append(source | {"path": path, "format": "Tokens"})
        documents.append(world.document(data={"sources": sources}, **steps))

    mapped = local.start(documents[0])
    assert mapped.wait() == ExitCode.OK, mapped.log
    ranged = remote.start(documents[1], LCCP_CACHE=str(tmp_path / "cache"))
    assert ranged.wait() == ExitCode.OK, ranged.log

    assert [line.loss for line in ranged.history] == [line.loss for line in mapped.history]
    assert list((tmp_path / "cache").rglob("*.offsets"))
    assert not list((tmp_path / "cache").rglob("*.tokens"))


def fetching(world: World, hub: HubServer, *, is_terminated: bool = False) -> Fetching:
    invocation = Invocation.from_environ(world.environ(document(world)))
    started = time.time() - STARTED_SECONDS
    return Fetching(world.store, invocation, True, lambda: is_terminated, started, hub.endpoint)


def test_the_first_node_tells_how_far_it_is(
    new_world: Callable[[], World],
    hub: HubServer,
    tmp_path: Path,
) -> None:
    world = new_world()
    (world.root / "store").mkdir()
    spec = LCCPRun.parse(document(world), "run").spec

    fetching(world, hub).fetched(spec, tmp_path)

    (key,) = [info.key for info in world.store.list("default/run/training/")]
    beat = read(world.store, key, Heartbeat)
    assert (beat.phase, beat.tokens) == ("Starting", 0)
    assert beat.fetched is not None
    assert 0 <= beat.fetched.size <= beat.fetched.total
    assert beat.ledger.starting >= STARTED_SECONDS
    assert beat.ledger.total == beat.ledger.starting


@pytest.mark.long
def test_a_launcher_that_is_told_to_end_fetches_no_further(
    new_world: Callable[[], World],
    hub: HubServer,
    tmp_path: Path,
) -> None:
    world = new_world()
    (world.root / "store").mkdir()
    spec = LCCPRun.parse(document(world), "run").spec

    with pytest.raises(Stopped, match="SIGTERM while model and documents were fetched") as raised:
        fetching(world, hub, is_terminated=True).fetched(spec, tmp_path)
    assert end_of(raised.value).result is Cause.TERMINATED
    for thread in threading.enumerate():
        if thread.name.startswith("fetch-"):
            thread.join()  # with what it had begun, while the hub is there
