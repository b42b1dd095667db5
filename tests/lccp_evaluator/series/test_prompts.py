import json
from pathlib import Path

import pytest
from measured import few
from tiny_checkpoints import a_checkpoint

from lccp.contract.errors import InvalidInput
from lccp_evaluator.sampling.tokenization import Tokenizer
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained


@pytest.fixture
def checkpoint(tmp_path: Path) -> CheckpointDirectory:
    return CheckpointDirectory(a_checkpoint(tmp_path / "model"), Trained(0))


@pytest.fixture
def series(tmp_path: Path) -> EvaluationSeries:
    return EvaluationSeries(tmp_path / "out", SeriesSettings(few()))


def test_every_sample_is_written_as_it_is_asked_and_nothing_stays(
    tmp_path: Path, checkpoint: CheckpointDirectory, series: EvaluationSeries
) -> None:
    path = tmp_path / "prompts.jsonl"
    count = series.prompts(checkpoint, path)

    written = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(written) == count
    assert not list(series.out.iterdir())
    found = [one for one in written if one["needle"] is not None]
    assert found
    tokenizer = Tokenizer(checkpoint.path)
    for one in found:
        assert one["needle"] in one["prompt"]
        assert len(tokenizer.opening(one["prompt"] + one["answer"]).ids) == one["tokens"]


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, checkpoint: CheckpointDirectory, series: EvaluationSeries
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match=r"file/prompts\.jsonl: cannot be written"):
        series.prompts(checkpoint, tmp_path / "file" / "prompts.jsonl")
