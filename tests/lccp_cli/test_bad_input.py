"""Wrong input: one sentence with place and remedy, exit code 2, nothing written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import a_run
import pytest
import yaml
from typer.testing import Result

pytestmark = pytest.mark.slow

Lccp = Callable[..., Result]
LONG, SHORT = a_run.manifest()["spec"]["data"]["sources"]


def sources(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"sources": list(entries)}}


def training(**fields: Any) -> dict[str, Any]:
    return {"training": {**a_run.manifest()["spec"]["training"], **fields}}


SPECS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown field", {"speed": 1}, "spec.speed: there is no such field"),
    ("unknown nested field", training(tokenz=1), "spec.training.tokenz: there is no such field"),
    (
        "number for a decimal",
        training(learningRate=1.5e-4),
        "spec.training.learningRate: must be a decimal number",
    ),
    (
        "negative weight",
        sources(LONG | {"weight": "-1"}, SHORT),
        "spec.data.sources[0].weight: must be a decimal number >= 0",
    ),
    (
        "weights that sum to nothing",
        sources(LONG | {"weight": "0"}, SHORT),
        "spec.data: shortFraction below 1 gives tokens to sources of kind Long, but none has",
    ),
    (
        "checkpoint beyond the budget",
        {"checkpoints": {"atTokens": ["1T"]}},
        "checkpoints.atTokens exceeds training.tokens",
    ),
    (
        "length beyond the context",
        {"evaluation": {"probes": {"niah": {"lengths": ["1K"]}}}},
        "evaluation.probes.niah.lengths exceeds model.targetContextLength",
    ),
    ("no checkpoints", {"checkpoints": {}}, "spec.checkpoints: "),
    (
        "length without a number",
        {"model": {"source": "model", "targetContextLength": "long"}},
        "spec.model.targetContextLength: must be a length in tokens",
    ),
    (
        "missing model",
        {"model": {"source": "nowhere", "targetContextLength": 512}},
        "spec.model.source: there is no folder example/nowhere: give the folder of a Hugging Face",
    ),
    (
        "folder without a model",
        {"model": {"source": ".", "targetContextLength": 512}},
        "spec.model.source: example contains no config.json",
    ),
    (
        "missing data",
        sources(LONG | {"path": "gone.jsonl"}, SHORT),
        "spec.data.sources[0].path: there is no file or folder example/gone.jsonl",
    ),
    (
        "missing haystack",
        {"evaluation": {"probes": {"niah": {"haystack": {"path": "hay"}}}}},
        "spec.evaluation.probes.niah.haystack.path: there is no file or folder example/hay",
    ),
    (
        "too many processes for one machine",
        {"topology": {"nodes": 4_096, "processesPerNode": 8}},
        "spec.topology: ",
    ),
]


def refused(result: Result, sentence: str) -> None:
    """The result is one sentence on standard error, and exit code 2."""
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("lccp: ")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def contents(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    ("spec", "sentence"), [row[1:] for row in SPECS], ids=[row[0] for row in SPECS]
)
def test_a_wrong_manifest_starts_nothing(
    lccp: Lccp,
    manifest: Callable[..., Path],
    workplace: Path,
    spec: dict[str, Any],
    sentence: str,
) -> None:
    path = manifest(**spec)
    before = contents(workplace)
    refused(lccp("run", path), sentence)
    assert contents(workplace) == before


FILES = [
    ("missing", None, "run.yaml: can't be read: No such file or directory"),
    ("empty", b"", "run.yaml: contains no document of kind LCCPRun"),
    ("not YAML", b"a: [1\nb: 2", "run.yaml: line 2: is not YAML"),
    ("not text", b"\xff\xfe\x00", "run.yaml: is not UTF-8 text"),
    (
        "another kind",
        b"kind: Job",
        "run.yaml: contains no document of kind LCCPRun; it must contain one",
    ),
    ("two runs", b"kind: LCCPRun\n---\nkind: LCCPRun", "run.yaml: contains 2 documents of kind"),
    ("no metadata", b"kind: LCCPRun\nspec: {}", "run.yaml: metadata: is required"),
]


@pytest.mark.parametrize(
    ("content", "sentence"), [row[1:] for row in FILES], ids=[row[0] for row in FILES]
)
@pytest.mark.parametrize("command", ["run", "estimate"])
def test_a_wrong_file_is_named(
    lccp: Lccp, workplace: Path, command: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        Path("run.yaml").write_bytes(content)
    refused(lccp(command, "run.yaml"), sentence)
    assert not Path("runs").exists()


def test_a_manifest_may_hold_other_documents(
    lccp: Lccp, manifest: Callable[..., Path], workplace: Path
) -> None:
    path = manifest(model={"source": "nowhere", "targetContextLength": 512})
    path.write_text(yaml.safe_dump({"kind": "Namespace"}) + "---\n" + path.read_text())
    refused(lccp("run", path), "there is no folder example/nowhere")


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("ftp://x", "store URL: must be file:///folder, file://folder or s3://bucket/prefix"),
        ("s3://bucket/prefix", "127.0.0.1"),
    ],
    ids=["unknown kind", "unreachable"],
)
def test_a_wrong_store_is_one_sentence(
    lccp: Lccp,
    manifest: Callable[..., Path],
    workplace: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    sentence: str,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    path = manifest()
    before = contents(workplace)
    result = lccp("run", path, "--store", store, "--endpoint", "http://127.0.0.1:9")
    refused(result, sentence)
    assert result.stdout == ""
    assert contents(workplace) == before


def test_a_broken_document_is_named_before_anything_starts(
    lccp: Lccp, manifest: Callable[..., Path], workplace: Path
) -> None:
    path = manifest()
    Path("example/short.jsonl").write_text('{"text": "The grass"}\nThe grass is green.\n')
    before = contents(workplace)
    result = lccp("run", path)
    refused(result, "spec.data.sources[1].path: example/short.jsonl, line 2: is not JSON")
    assert contents(workplace) == before


def test_a_store_that_holds_another_run_is_left_alone(
    lccp: Lccp, manifest: Callable[..., Path], stored: Path
) -> None:
    before = contents(stored)
    path = manifest(data={"seed": 5, "sources": [LONG, SHORT]})
    refused(lccp("run", path), "default/tiny")
    assert [file for file in contents(stored) if file.name != "engine.lock"] == before


def changed(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))


@pytest.mark.parametrize("command", ["report", "analyze"])
def test_a_report_of_another_schema_version_is_refused(
    lccp: Lccp, stored: Path, command: str
) -> None:
    changed(stored / "evaluations/000000000102400/intrinsic/report.json", schemaVersion=9)
    refused(lccp(command, stored), "report.json: has schema version 9")
    assert not (stored / "report.html").exists()


@pytest.mark.parametrize("command", ["report", "analyze"])
@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("nowhere", "nowhere: is not a folder"),
        ("example", "example: contains no report.json"),
        ("file://runs", "file://runs: must be <store URL>/<namespace>/<name>"),
        ("file://runs/default/other", "contains no run default/other"),
    ],
)
def test_a_wrong_target_is_named(
    lccp: Lccp, workplace: Path, stored: Path, command: str, target: str, sentence: str
) -> None:
    refused(lccp(command, target), sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--min-gain", "0"], "--min-gain: must be a decimal number > 0 and < 1"),
        (["--confidence", "95%"], "--confidence: must be a decimal number"),
        (["--patience", "0"], "--patience: "),
        (["--horizon-tokens", "25G"], "--horizon-tokens: must be a number of tokens"),
    ],
)
def test_a_wrong_option_of_analyze_is_named(
    lccp: Lccp, stored: Path, options: list[str], sentence: str
) -> None:
    refused(lccp("analyze", stored, *options), sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--lengths", "1Q"], "--lengths[0]: must be a length in tokens"),
        (["--depths", "0,200"], "--depths[1]: "),
        (["--haystacks", "1"], "--haystacks: "),
        (["--source-context", "x"], "--source-context: must be a length in tokens"),
        (["--needles", "gone.yaml"], "gone.yaml: can't be read"),
        (["--haystack", "gone"], "--haystack: there is no file or folder gone"),
        ([], "MODEL: there is no folder nowhere: give the folder of a Hugging Face model"),
    ],
)
def test_a_wrong_option_of_evaluate_is_named(
    lccp: Lccp, workplace: Path, options: list[str], sentence: str
) -> None:
    refused(lccp("evaluate", "nowhere", "--out", "out", *options), sentence)
    assert not Path("out").exists()


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_a_series_of_an_empty_folder_is_refused(
    lccp: Lccp, tmp_path: Path, dry_run: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    result = lccp("evaluate", "--series", tmp_path, "--out", out, *dry_run)
    refused(result, "contains no model directory")
