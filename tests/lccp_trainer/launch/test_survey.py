"""A survey of documents before a run starts."""

import json
from pathlib import Path
from typing import Any

import pytest
from trainer_world import World

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp_trainer.launch.survey import Survey, survey
from lccp_trainer.launch.tokens import prepare_sources

EVALUATION = {"probes": {"corpusPpl": {"corpora": [{"name": "own", "path": "own.jsonl"}]}}}


@pytest.fixture
def world(tiny: Path, tmp_path: Path) -> World:
    for name in ("model", "data"):
        (tmp_path / name).symlink_to(tiny / name)
    return World(tmp_path)


def surveyed(world: World, **spec: Any) -> Survey:
    parsed = LCCPRun.parse(world.document(**spec), "run").spec
    made = prepare_sources(parsed, world.root, world.root / "tokens")
    return survey(parsed, world.root, {one.source.name: one.folder for one in made})


def test_sources_and_positions_are_told(world: World) -> None:
    found = surveyed(world)

    assert [source.name for source in found.sources] == ["long", "short"]
    assert found.overlaps == {}
    assert found.bands
    assert [one.documents for one in found.repeated] == [0, 0]
    assert len(found.nearly) == 2


def test_a_document_that_was_changed_a_little_is_told_of(world: World) -> None:
    words = [f"w{n * n * n % 59}" for n in range(100)]
    texts = [" ".join(part) for part in (words, words, [*words[:-1], "w59"])]
    lines = [json.dumps({"text": text}) for text in texts]
    (world.root / "more.jsonl").write_text("\n".join(lines))
    found = surveyed(
        world,
        data={
            "shortFraction": "0",
            "sources": [{"name": "long", "kind": "Long", "path": "more.jsonl"}],
        },
    )
    assert [one.documents for one in (*found.repeated, *found.nearly)] == [1, 1]
    assert (found.nearly[0].example or "").startswith("document 3 of ")


def test_a_source_without_a_share_is_left_out(world: World) -> None:
    off = {"name": "off", "kind": "Long", "path": "data/long.jsonl", "weight": "0"}
    long = {"name": "long", "kind": "Long", "path": "data/long.jsonl"}
    found = surveyed(world, data={"shortFraction": "0", "sources": [off, long]})

    assert [source.name for source in found.sources] == ["long"]


def test_documents_of_the_evaluation_that_were_trained_on_are_found(world: World) -> None:
    lines = (world.root / "data" / "long.jsonl").read_text().splitlines()
    text = json.loads(lines[0])["text"]
    (world.root / "own.jsonl").write_text(json.dumps({"text": text}) + "\n")

    found = surveyed(world, evaluation=EVALUATION)

    ((field, overlap),) = found.overlaps.items()
    assert field.endswith("path")
    assert overlap.found == overlap.ngrams > 0


def test_a_document_of_the_evaluation_that_can_not_be_read_is_named(world: World) -> None:
    (world.root / "own.jsonl").write_text("no json\n")

    with pytest.raises(InvalidInput, match=r"own\.jsonl, line 1: is not JSON"):
        surveyed(world, evaluation=EVALUATION)
