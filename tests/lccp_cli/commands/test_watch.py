import io
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from seaweedfs import SeaweedFS
from tiny_checkpoints import a_checkpoint
from typer.testing import Result

from lccp.store.directory import upload_directory
from lccp.store.open import open_store

Lccp = Callable[..., Result]
BAND = ("--source-context", "128")
PROBES = """
bio: {enabled: false}
retrievalHeads: {enabled: false}
niah: {lengths: [200], depthsPercent: [0, 50], haystacks: 2, needlesPerHaystack: 2}
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two checkpoints of a Trainer in a working folder, and how they are watched."""
    monkeypatch.chdir(tmp_path)
    for step in (30, 4):
        path = a_checkpoint(Path(f"checkpoints/checkpoint-{step}"), seed=step)
        (path / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
    Path("probes.yaml").write_text(PROBES)
    return ["watch", "checkpoints", "--out", "out", "--probes", "probes.yaml", *BAND]


@pytest.mark.long
def test_a_watch_tells_each_checkpoint_and_ends_with_the_verdict(
    lccp: Lccp, asked: list[str]
) -> None:
    weights = Path("checkpoints/checkpoint-30/model.safetensors").read_bytes()
    (cut := Path("checkpoints/checkpoint-5")).mkdir()
    shutil.copy("checkpoints/checkpoint-30/config.json", cut)
    (cut / "model.safetensors").write_bytes(weights[:5_000])
    result = lccp(*asked, "--tokens-per-step", "1K", "--budget", "40K", "--until", "30K")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "watching checkpoints"
    assert any(line.startswith("checkpoint 4 K: NIAH-PPL ") for line in lines)
    assert any(line.startswith("checkpoint 30 K: NIAH-PPL ") for line in lines)
    assert any(line.startswith("checkpoint-5: incomplete: ") for line in lines)
    assert "checkpoint-30: waiting for evaluation" in lines
    assert lines[-2:] == ["Report: out/report.html", "Next:   lccp analyze out"]
    assert lccp("report", "out").exit_code == 0

    again = lccp(*asked, "--tokens-per-step", "1K", "--until", "30K")
    assert "waiting for evaluation" not in again.stdout


@pytest.mark.slow
def test_a_watch_without_any_report_at_its_end_has_failed(lccp: Lccp, asked: list[str]) -> None:
    for path in Path("checkpoints").glob("*/tokenizer*"):
        path.unlink()

    result = lccp(*asked, "--tokens-per-step", "1K", "--until", "30K")
    assert result.exit_code == 1
    assert "checkpoint-30: failed: " in result.stdout
    assert result.stdout.endswith("No checkpoint could be evaluated.\n")


def _as_in_a_terminal() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def watching(asked: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """A watch in a process of its own, with nothing more to evaluate.

    What a shell starts in the background ignores SIGINT, what `nohup` starts SIGHUP, and so would
    what is started here.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "lccp_cli", *asked, "--tokens-per-step", "1K"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_as_in_a_terminal,
    ) as process:
        assert isinstance(process.stdout, io.TextIOBase)
        for line in process.stdout:
            if line.startswith("checkpoint 30 K: "):
                break
        yield process
        process.kill()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_watch_ends_with_the_verdict(
    watching: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    watching.send_signal(number)
    output, errors = watching.communicate(timeout=60)
    assert (watching.returncode, errors) == (0, "")
    assert "Ended: the same command resumes from here." in output
    assert Path("out/report.html").is_file()


@pytest.mark.long
def test_ctrl_c_that_also_ends_the_reader_of_a_watch_leaves_the_page(
    watching: "subprocess.Popen[str]",
) -> None:
    assert watching.stdout is not None
    watching.stdout.close()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(timeout=60) == 0
    assert Path("out/report.html").is_file()


BAD = [
    (["--until", "much"], "--until: must be a number of tokens"),
    (["--budget", "x"], "--budget: must be a number of tokens"),
    (["--horizon-tokens", "x"], "--horizon-tokens: must be a number of tokens"),
    (["--index", "gone.yaml"], "gone.yaml: can't be read"),
    (["--convert", "python to_hf.py"], "--convert: must name {input}"),
    (["--tokens-per-step", "0"], "--tokens-per-step: must be a number of tokens"),
    (["--poll-seconds", "inf"], "Input should be less than or equal to"),
    (["--quiet-seconds", "1e9"], "Input should be less than or equal to"),
    (["--out", "checkpoints"], "--out: checkpoints is in checkpoints: give a folder outside of it"),
    (["--out", "link/new"], "--out: link/new is in checkpoints: give a folder outside of it"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("options", "sentence"), BAD, ids=[" ".join(row[0]) for row in BAD])
def test_wrong_options_are_told_before_anything_is_watched(
    lccp: Lccp, asked: list[str], options: list[str], sentence: str
) -> None:
    Path("link").symlink_to("checkpoints")
    before = set(Path().rglob("*"))
    result = lccp(*asked, *options)
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert set(Path().rglob("*")) == before


@pytest.mark.slow
def test_a_link_that_leads_to_itself_is_told_not_waited_for(lccp: Lccp, asked: list[str]) -> None:
    shutil.rmtree("checkpoints")
    Path("checkpoints").symlink_to("checkpoints")

    result = lccp(*asked)

    assert (result.exit_code, Path("out").exists()) == (2, False)
    assert "checkpoints: can't be read: Too many levels of symbolic links" in result.stderr


@pytest.mark.s3
@pytest.mark.slow
def test_a_prefix_of_a_bucket_is_watched_as_a_folder_is(
    seaweedfs: SeaweedFS, lccp: Lccp, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in seaweedfs.environ.items():
        monkeypatch.setenv(name, value)
    config = seaweedfs.config(f"trainer/{uuid.uuid4().hex}")
    upload_directory(open_store(config), Path("checkpoints/checkpoint-4"), "checkpoint-4")
    asked[1] = config.url
    asked += ["--endpoint", seaweedfs.endpoint, "--tokens-per-step", "1K", "--until", "4K"]

    result = lccp(*asked)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"watching {config.url}"
    assert "checkpoint-4: being fetched" in lines
    assert any(line.startswith("checkpoint 4 K: NIAH-PPL ") for line in lines)

    again = lccp(*asked)
    assert again.exit_code == 0, again.output
    assert "being fetched" not in again.stdout


def test_an_address_that_is_no_bucket_is_refused(lccp: Lccp) -> None:
    result = lccp("watch", "hf://organisation/name", "--out", "out")
    assert result.exit_code == 2
    assert "hf://organisation/name: must be a folder or s3://bucket/prefix" in result.stderr


@pytest.mark.slow
def test_a_folder_that_is_none_is_refused_before_a_line_is_printed(
    lccp: Lccp, asked: list[str]
) -> None:
    Path("file").touch()
    result = lccp("watch", "file", *asked[2:], "--tokens-per-step", "1K")
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "file: " in result.stderr
    assert not Path("out").exists()
