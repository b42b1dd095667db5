import importlib.util
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed.checkpoint as dcp
from tiny_checkpoints import a_checkpoint
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from lccp_cli.main import app

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
"""DCP says so of every save by a single process."""
SCRIPT = Path(__file__).parents[2] / "examples" / "attached" / "dcp_to_hugging_face.py"
PROBES = """
bio: {enabled: false}
retrievalHeads: {enabled: false}
niah: {lengths: [200], depthsPercent: [0, 50], haystacks: 2, needlesPerHaystack: 2}
"""


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("dcp_to_hugging_face", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(base: Path, folder: Path, steps: int) -> dict[str, torch.Tensor]:
    """A bare loop that saves by DCP; the last weights."""
    model = AutoModelForCausalLM.from_pretrained(base)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    ids = torch.arange(32).repeat(2, 1)
    for step in range(1, steps + 1):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        state = {"model": model.state_dict(), "step": step}
        dcp.save(state, checkpoint_id=str(folder / f"step-{step}"), no_dist=True)
    return model.state_dict()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_checkpoint(tmp_path_factory.mktemp("dcp") / "base", model_type="llama")


@pytest.mark.slow
def test_the_weights_of_a_loop_that_writes_dcp_are_those_of_the_directory(
    script, base: Path, tmp_path: Path
) -> None:
    trained = train(base, tmp_path, steps=1)
    output = tmp_path / "model"
    output.mkdir()
    script.main([str(tmp_path / "step-1"), str(output), "--base", str(base)])
    loaded = AutoModelForCausalLM.from_pretrained(output).state_dict()
    assert loaded.keys() == trained.keys()
    assert all(torch.equal(loaded[name], trained[name]) for name in trained)


def test_weights_of_another_model_are_told_and_nothing_is_written(
    script, base: Path, tmp_path: Path
) -> None:
    dcp.save({"model": {"other": torch.ones(2)}}, checkpoint_id=str(tmp_path / "a"), no_dist=True)
    output = tmp_path / "model"
    output.mkdir()
    with pytest.raises(SystemExit, match="its weights are not those of"):
        script.main([str(tmp_path / "a"), str(output), "--base", str(base)])
    assert list(output.iterdir()) == []


@pytest.mark.slow
@pytest.mark.long
def test_a_watch_converts_and_evaluates_what_the_loop_leaves(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(base, Path("dcp"), steps=1)
    Path("probes.yaml").write_text(PROBES)
    command = f"{sys.executable} {SCRIPT} {{input}} {{output}} --base {base}"
    asked = ("watch", "dcp", "--out", "out", "--probes", "probes.yaml", "--source-context", "128")
    counted = ("--marker", ".metadata", "--tokens-per-step", "1K", "--until", "1K")
    result = CliRunner().invoke(app, [*asked, *counted, "--convert", command])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "step-1: being converted" in lines
    assert any(line.startswith("checkpoint 1 K: NIAH-PPL ") for line in lines)
