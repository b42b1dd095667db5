"""`lccp data prepare` on real files and a real tokenizer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import hub_server
from seaweedfs import SeaweedFS
from typer.testing import Result

from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.shards import TokenShards, read_index

Lccp = Callable[..., Result]


@pytest.fixture
def example(workplace: Path) -> Path:
    """A folder with a model whose tokenizer knows numbers below 10, and two sources."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = workplace / "example"
    words = {str(number): number for number in range(10)} | {"end": 10}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="end")
    fast.save_pretrained(folder / "model")
    config = {"model_type": "llama", "vocab_size": 11, "hidden_size": 8, "num_attention_heads": 1}
    config |= {"num_hidden_layers": 1, "intermediate_size": 8, "max_position_embeddings": 128}
    (folder / "model" / "config.json").write_text(json.dumps(config))
    for name in ("long", "short"):
        (folder / f"{name}.jsonl").write_text('{"text": "1 2 3"}\n{"text": "4"}\n')
    return folder


@pytest.mark.slow
def test_a_model_of_a_hub_is_fetched_for_its_tokenizer(
    lccp: Lccp,
    manifest: Callable[..., Path],
    example: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {path.name: path.read_bytes() for path in (example / "model").iterdir()}
    model = {"source": "hf://org/base", "targetContextLength": 512}
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    with hub_server() as hub:
        hub.repository("models/org/base", files)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        path = manifest(model=model)
        result = lccp("data", "prepare", path, "--out", tmp_path / "tokens", "--workers", "1")

    assert result.exit_code == 0, result.output
    index = read_index(tmp_path / "tokens" / "long", "long")
    assert index.tokenizer_digest == tokenizer_digest(example / "model")


def test_every_source_becomes_a_folder_of_tokens(
    lccp: Lccp, manifest: Callable[..., Path], example: Path, tmp_path: Path
) -> None:
    result = lccp("data", "prepare", manifest(), "--out", tmp_path / "tokens", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "long: 6 tokens in 2 documents" in result.output
    for name in ("long", "short"):
        folder = tmp_path / "tokens" / name
        index = read_index(folder, "data")
        assert index.tokenizer_digest == tokenizer_digest(example / "model")
        assert TokenShards(folder, index, "data").read(0, 0, 4).tolist() == [1, 2, 3, 10]


def test_one_source_alone_can_be_asked_for(
    lccp: Lccp, manifest: Callable[..., Path], example: Path, tmp_path: Path
) -> None:
    asked = ("--out", tmp_path / "tokens", "--workers", "1", "--source")
    assert lccp("data", "prepare", manifest(), *asked, "short").exit_code == 0
    assert [path.name for path in (tmp_path / "tokens").iterdir()] == ["short"]
    result = lccp("data", "prepare", manifest(), *asked, "middle")
    assert result.exit_code == 2
    assert "--source: there is no source middle; there are long, short" in result.stderr


def test_a_broken_line_is_named_and_what_was_done_is_kept(
    lccp: Lccp, manifest: Callable[..., Path], example: Path, tmp_path: Path
) -> None:
    (example / "short.jsonl").write_text('{"text": "1"}\n{"text": \n')
    asked = ("data", "prepare", manifest(), "--out", tmp_path / "tokens", "--workers", "1")
    result = lccp(*asked)
    assert result.exit_code == 2
    assert "short.jsonl, line 2: is not JSON" in result.stderr
    assert (tmp_path / "tokens" / "long" / "index.json").exists()
    assert not (tmp_path / "tokens" / "short" / "index.json").exists()


@pytest.mark.slow
def test_the_documents_are_looked_into(
    lccp: Lccp, manifest: Callable[..., Path], example: Path, tmp_path: Path
) -> None:
    digits = " ".join("3141592653589793238")
    lines = [digits + " 4 6", "2 7 1 8 2 8", "2 7 1 8 2 8"]
    for name in ("long", "short"):
        text = "".join(json.dumps({"text": line}) + "\n" for line in lines)
        (example / f"{name}.jsonl").write_text(text)
    (example / "eval").mkdir()
    (example / "eval/pi.jsonl").write_text(json.dumps({"text": digits}) + "\n")
    (example / "eval/README.md").write_text("no JSON")
    asked = [{"context": digits, "question": "4 6?", "answer": n} for n in ("1", "2")]
    (example / "asked.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in asked))
    probes = {
        "corpusPpl": {"corpora": [{"name": "pi", "path": "eval"}], "length": 16},
        "targetPpl": {"path": "asked.jsonl"},
    }
    data = {
        "sources": [
            {"name": "long", "kind": "Long", "path": "long.jsonl", "minimumLength": 16},
            {"name": "short", "kind": "Short", "path": "short.jsonl"},
        ]
    }
    path = manifest(evaluation={"probes": probes}, data=data)
    (tmp_path / "tokens").mkdir()
    result = lccp("data", "check", path, "--tokens", tmp_path / "tokens", "--workers", "1")
    assert result.exit_code == 0, result.output
    rows = {line.split("  ")[0]: line.split() for line in result.output.splitlines() if line}
    assert "1 (19.4 %)" in result.output
    assert rows["evaluation.probes.corpusPpl.corpora[0].path"][1:4] == ["1", "8", "87.5"]
    assert rows["evaluation.probes.targetPpl.path"][1:4] == ["1", "8", "87.5"]
    assert "long: document 3 of" in result.output
    assert (tmp_path / "tokens" / "long" / "index.json").exists()


def test_a_mistyped_folder_of_tokens_is_not_made(
    lccp: Lccp, manifest: Callable[..., Path], example: Path, tmp_path: Path
) -> None:
    result = lccp("data", "check", manifest(), "--tokens", tmp_path / "tokesn", "--workers", "1")
    assert result.exit_code == 2
    assert f"--tokens: there is no folder {tmp_path / 'tokesn'}" in result.stderr
    assert not (tmp_path / "tokesn").exists()


@pytest.mark.s3
def test_tokens_are_left_in_a_bucket_and_checked_from_there(
    lccp: Lccp,
    manifest: Callable[..., Path],
    example: Path,
    tmp_path: Path,
    seaweedfs: SeaweedFS,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.secret_key)
    out, reach = f"s3://{seaweedfs.bucket}/tokens", ("--workers", "1", "--endpoint")
    done = lccp("data", "prepare", manifest(), "--out", out, *reach, seaweedfs.endpoint)
    assert done.exit_code == 0, done.output
    assert f"path: {out}/long, format: Tokens" in done.output.replace("\n", " ")

    kinds = {"long": "Long", "short": "Short"}
    sources = [
        {"name": name, "kind": kind, "path": f"{out}/{name}", "format": "Tokens"}
        | {"minimumLength": 1}
        for name, kind in kinds.items()
    ]
    looked = lccp("data", "check", manifest(data={"sources": sources}), *reach, seaweedfs.endpoint)
    assert looked.exit_code == 0, looked.output
