"""The sources of a run are tokenized before it starts."""

import uuid
from collections.abc import Iterable
from pathlib import Path

import pytest
from seaweedfs import SeaweedFS
from trainer_world import World

from lccp.api.run import LCCPRun, LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.shards import TokenShards, read_index
from lccp_trainer.launch.tokens import Destination, Prepared, prepare_sources, tokenizer_of


def names(prepared: Iterable[Prepared]) -> list[str]:
    return [one.source.name for one in prepared]


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> World:
    for name in ("model", "data"):
        (tmp_path / name).symlink_to(tiny / name)
    return World(tmp_path)


@pytest.fixture
def spec(world: World) -> LCCPRunSpec:
    return LCCPRun.parse(world.document(), "run").spec


def test_every_source_gets_a_folder_of_its_name(world: World, spec: LCCPRunSpec) -> None:
    out = world.root / "tokens"

    long, short = prepare_sources(spec, world.root, out)

    assert (long.folder, short.folder) == (out / "long", out / "short")
    assert long.index == read_index(out / "long", "here")
    assert long.index.tokenizer_digest == tokenizer_digest(world.root / "model")
    assert (long.index.documents, long.left_out) == (100, 0)


def test_documents_that_can_not_be_read_are_counted(world: World) -> None:
    (world.root / "bad.jsonl").write_text('{"text": "w1"}\nno json\n{"text": "w2"}\n')
    bad = {"name": "bad", "kind": "Long", "path": "bad.jsonl", "badDocumentsMax": 1}
    data = {"shortFraction": "0", "sources": [bad]}
    spec = LCCPRun.parse(world.document(data=data), "run").spec

    (prepared,) = prepare_sources(spec, world.root, world.root / "tokens")

    assert (prepared.index.documents, prepared.left_out) == (2, 1)


def test_sources_may_be_named_and_tokens_are_left_as_they_are(world: World) -> None:
    document = world.document()
    document["spec"]["data"]["sources"][0]["format"] = "Tokens"
    spec = LCCPRun.parse(document, "run").spec
    out = world.root / "tokens"

    assert names(prepare_sources(spec, world.root, out)) == ["short"]
    assert names(prepare_sources(spec, world.root, out, names=["long"])) == []
    with pytest.raises(InvalidInput, match="there is no source other; there are long, short"):
        list(prepare_sources(spec, world.root, out, names=["long", "other"]))


def test_a_tokenizer_is_loaded_once(world: World, spec: LCCPRunSpec) -> None:
    directory = world.root / "model"

    assert tokenizer_of(spec.model, directory) is tokenizer_of(spec.model, directory)


@pytest.fixture
def bucket(
    seaweedfs: SeaweedFS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Destination, Store]:
    """A prefix that tokens are left below, and its store."""
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    config = seaweedfs.config(f"prepared-{uuid.uuid4().hex}", None)
    return Destination(config.url, config.endpoint), open_store(config)


@pytest.mark.s3
def test_tokens_are_left_in_a_bucket(
    world: World, spec: LCCPRunSpec, bucket: tuple[Destination, Store], tmp_path: Path
) -> None:
    destination, store = bucket
    (long,) = prepare_sources(spec, world.root, destination.folder, names=["long"])

    assert destination.put(long) == f"{store.url}/long"
    download = tmp_path / "again"
    download.mkdir()
    for info in store.list("long/"):
        store.get_file(info.key, download / Path(info.key).name)
    index = read_index(download, "here")
    assert index == long.index
    TokenShards(download, index, "here")

    destination.leave()
    assert not destination.folder.exists()


@pytest.mark.s3
def test_tokens_that_are_replaced_are_not_ready_until_all_are_there(
    world: World,
    spec: LCCPRunSpec,
    bucket: tuple[Destination, Store],
) -> None:
    destination, store = bucket
    (long,) = prepare_sources(spec, world.root, destination.folder, names=["long"])
    destination.put(long)
    for name in long.index.file_names:
        (destination.folder / "long" / name).unlink()

    with pytest.raises(InvalidInput, match="no file to upload"):
        destination.put(long)
    assert store.stat("long/index.json") is None


def test_a_folder_is_the_place_itself(world: World, spec: LCCPRunSpec, tmp_path: Path) -> None:
    destination = Destination(str(tmp_path / "tokens"), None)
    (long,) = prepare_sources(spec, world.root, destination.folder, names=["long"])
    destination.leave()

    assert destination.put(long) == str(tmp_path / "tokens" / "long")
    assert read_index(tmp_path / "tokens" / "long", "here") == long.index


def test_another_kind_of_place_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^--out: must be a folder or s3://bucket/prefix"):
        Destination("gs://bucket/tokens", None)
