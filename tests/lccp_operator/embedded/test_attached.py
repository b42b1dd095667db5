"""Another trainer's checkpoints, on this machine, with the real importer and evaluator."""

import shutil
from pathlib import Path

import pytest
from tiny_checkpoints import a_checkpoint

from lccp.api.invocation import StoreConfig
from lccp.api.run import LCCPRun
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp.store.objects import reports
from lccp_evaluator.series.files import digest
from lccp_operator.embedded import EmbeddedEngine, RunSnapshot

KEYS = RunKeys("default", "attached")
RUN = {
    "apiVersion": "lccp.io/v1alpha1",
    "kind": "LCCPRun",
    "metadata": {"name": "attached"},
    "spec": {
        "model": {"source": "base", "targetContextLength": 512},
        "source": {
            "path": "checkpoints",
            "contextLength": 128,
            "untilTokens": 3_000,
            "tokens": {"tokensPerStep": 1_000},
            "complete": {"marker": "DONE"},
        },
        "checkpoints": {"everyTokens": 1_000},
        "evaluation": {
            "probes": {
                "bio": {"enabled": False},
                "retrievalHeads": {"enabled": False},
                "niah": {
                    "lengths": [200],
                    "depthsPercent": [0, 50],
                    "haystacks": 2,
                    "needlesPerHaystack": 2,
                },
            }
        },
    },
}


class Trainer:
    """Saves the checkpoint of step 1; of step 3 once the run has seen it, and deletes the first."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.digests = folder, list[str]()
        self.save(1)

    def save(self, step: int) -> None:
        path = a_checkpoint(self.folder / f"step-{step}", seed=step)
        self.digests.append(digest(path))
        (path / "DONE").touch()

    def __call__(self, snapshot: RunSnapshot) -> None:
        if snapshot.facts.checkpoints and len(self.digests) == 1:
            shutil.rmtree(self.folder / "step-1")
            self.save(3)


@pytest.mark.long
def test_each_checkpoint_that_another_trainer_leaves_is_evaluated(tmp_path: Path) -> None:
    trainer = Trainer(tmp_path / "checkpoints")
    config = StoreConfig(url=f"file://{tmp_path}/runs")

    outcome = EmbeddedEngine(LCCPRun.parse(RUN, "run"), config, tmp_path, trainer).run()

    assert outcome.state == "Succeeded"
    found = reports(FileStore(tmp_path / "runs"), KEYS)
    assert [report.tokens for report in found] == [1_000, 3_000]
    assert [report.checkpoint_digest for report in found] == trainer.digests
    assert found[0].source_context_length == 128
