"""One process and several processes make the same shards."""

import os
from pathlib import Path

import pytest
from word_tokenizer import FailsAtZero, Interrupted, Killed, Words

from lccp.api.spec.data import DataSource
from lccp.contract.errors import LccpError
from lccp_trainer.data.sharding import NONE_LEFT_OUT, ShardTask, Tokenizer
from lccp_trainer.data.spreading import PARALLELISM, each

SOURCE = DataSource.parse({"name": "a", "kind": "Long", "path": "a"}, "source")


def tasks(folder: Path, tokenizer: type[Tokenizer] = Words) -> list[ShardTask]:
    folder.mkdir(exist_ok=True)
    for number in range(3):
        (folder / f"{number}.jsonl").write_text(f'{{"text": "{number}"}}\n')
    return [
        ShardTask(
            SOURCE, folder / f"{n}.jsonl", folder, n, tokenizer, "digest", "data", NONE_LEFT_OUT
        )
        for n in range(3)
    ]


@pytest.mark.slow
def test_as_many_processes_give_the_same_shards(tmp_path: Path) -> None:
    alone = dict(each(tasks(tmp_path / "a"), 1, lambda *_: None))
    spread = dict(each(tasks(tmp_path / "a"), 3, lambda *_: None))
    assert alone == spread
    assert [*alone] == [0, 1, 2]


def test_one_process_alone_lets_the_tokenizer_use_every_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARALLELISM, "false")
    seen = [os.environ[PARALLELISM] for _ in each(tasks(tmp_path), 1, lambda *_: None)]
    assert (seen, os.environ[PARALLELISM]) == (["true"] * 3, "false")


@pytest.mark.slow
def test_a_process_that_is_killed_is_said(tmp_path: Path) -> None:
    with pytest.raises(LccpError, match="was killed, perhaps because memory ran out"):
        list(each(tasks(tmp_path, Killed), 2, lambda *_: None))


@pytest.mark.slow
def test_ctrl_c_is_left_to_the_process_that_started_the_others(tmp_path: Path) -> None:
    assert len(dict(each(tasks(tmp_path, Interrupted), 2, lambda *_: None))) == 3


@pytest.mark.slow
def test_one_that_fails_ends_the_others_at_once(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        list(each(tasks(tmp_path, FailsAtZero), 3, lambda *_: None))

    assert list(tmp_path.glob("shard-*")) == []
