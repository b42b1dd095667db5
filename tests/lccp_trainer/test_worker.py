"""Which process of an attempt this is."""

import json
from pathlib import Path
from typing import Any

import a_run
import pytest
from operator_world import EVERY_TOKENS

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.spec.sft import SFTSpec
from lccp.contract.errors import InvalidInput
from lccp.store.keys import RunKeys
from lccp_trainer.worker import SCRATCH, SFT_FILE, SPEC_FILE, STARTED, Worker

SFT = {"path": "records.jsonl", "globalBatchTokens": 512}


def environ(tmp_path: Path, **more: Any) -> dict[str, str]:
    """What torchrun and the launcher tell rank 3, whose spec they left in the scratch folder."""
    (tmp_path / SPEC_FILE).write_text(json.dumps(a_run.run().spec.document()))
    told = Invocation(
        namespace="lab", name="tiny", store=StoreConfig(url="s3://b"), base_directory="in", **more
    )
    own = {"RANK": "3", "LOCAL_RANK": "1", SCRATCH: str(tmp_path), STARTED: "5.5"}
    return told.to_environ() | own


def test_a_rank_knows_its_place_its_spec_and_its_folders(tmp_path: Path) -> None:
    worker = Worker.of(environ(tmp_path))

    assert (worker.rank, worker.local_rank, worker.started) == (3, 1, 5.5)
    assert worker.spec == a_run.run().spec
    assert worker.sft is None
    assert worker.keys == RunKeys("lab", "tiny")
    assert worker.base == Path.cwd() / "in"
    assert worker.own_scratch == tmp_path / "rank-3"


def test_a_rank_that_fine_tunes_knows_which_checkpoint_and_how(tmp_path: Path) -> None:
    (tmp_path / SFT_FILE).write_text(json.dumps(SFT))
    worker = Worker.of(environ(tmp_path, objective="SFT", tokens=EVERY_TOKENS))

    order = worker.fine_tuning
    assert order.keys == worker.keys == RunKeys("lab", "tiny").fine_tuning(EVERY_TOKENS)
    assert order.sft == SFTSpec.parse(SFT, "sft")


def test_a_rank_of_a_branch_writes_below_the_branch(tmp_path: Path) -> None:
    worker = Worker.of(environ(tmp_path, branch=EVERY_TOKENS))

    assert worker.keys == RunKeys("lab", "tiny").branch(EVERY_TOKENS)


def test_a_spec_that_is_not_there_is_named(tmp_path: Path) -> None:
    told = environ(tmp_path)
    (tmp_path / SPEC_FILE).unlink()

    with pytest.raises(InvalidInput, match=r"^spec\.json: "):
        Worker.of(told)
