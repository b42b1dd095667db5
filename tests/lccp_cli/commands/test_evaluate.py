import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hub_server import hub_server
from tiny_checkpoints import a_checkpoint
from typer.testing import Result

from lccp.api.objects.report import EvaluationReport
from lccp_cli.measuring import Measuring
from lccp_cli.probes import probes_of

Lccp = Callable[..., Result]
FIRST = "evaluations/000000000000000/intrinsic/report.json"
NEEDLE = """- stem: The best thing to do in San Francisco is
  key: eat a sandwich.
  question: What is the best thing to do in San Francisco?
- stem: The password of the vault is
  key: four green kites.
  question: What is the password of the vault?
"""
PROBES = "{bio: {enabled: false}, retrievalHeads: {enabled: false}}"


@pytest.fixture
def few(tmp_path: Path) -> list[str]:
    """Options for four cells of short samples."""
    (tmp_path / "needles.yaml").write_text(NEEDLE)
    text = "The grass is green. The sky is blue. The sun is yellow. " * 100
    (tmp_path / "documents.txt").write_text(text)
    return [
        *("--lengths", "200, 300", "--depths", "0,50", "--haystacks", "2"),
        *("--needles", str(tmp_path / "needles.yaml")),
        *("--haystack", str(tmp_path / "documents.txt")),
    ]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    """A folder with the checkpoints of a training, and what else lies there."""
    folder = tmp_path / "checkpoints"
    for step in (30, 4, 100):
        a_checkpoint(folder / f"checkpoint-{step}", seed=step)
    (folder / "runs").mkdir()
    return folder


@pytest.mark.slow
def test_a_tokenizer_that_does_not_know_the_probes_texts_is_refused_with_the_options(
    lccp: Lccp, tmp_path: Path
) -> None:
    model, needles = a_checkpoint(tmp_path / "model", kind="words"), tmp_path / "needles.yaml"
    needles.write_text(NEEDLE.replace("sandwich", "zyzzyva"))
    command = ("evaluate", model, "--out", tmp_path / "out", "--needles", needles)
    for more in ((), ("--dry-run",)):
        refused = lccp(*command, *more)
        assert refused.exit_code == 2
        assert "evaluation.probes.niah" in refused.stderr
        assert "evaluation.probes.bio" in refused.stderr
        assert refused.stderr.endswith("(set with --needles, --probes)\n")
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_evaluate_prints_a_row_per_length_and_leaves_a_report(
    lccp: Lccp, tmp_path: Path, few: list[str]
) -> None:
    model, out = a_checkpoint(tmp_path / "model"), tmp_path / "out"
    result = lccp("evaluate", model, "--out", out, *few, "--source-context", "256")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert {line.split()[0] for line in lines if line} >= {"200", "300"}
    assert any(line.startswith("NIAH-PPL, guard band ") for line in lines)
    assert any(line.startswith("Retrieval heads ") for line in lines)
    assert lines[-2:] == [f"Report: {out / FIRST}", f"Next:   lccp report {out}"]
    assert (out / FIRST).is_file()


@pytest.mark.slow
def test_a_model_without_a_tokenizer_takes_one_of_another_folder(
    lccp: Lccp, tmp_path: Path, few: list[str]
) -> None:
    model, other, out = a_checkpoint(tmp_path / "model"), tmp_path / "other", tmp_path / "out"
    other.mkdir()
    for file in model.glob("tokenizer*"):
        file.rename(other / file.name)
    result = lccp("evaluate", model, "--tokenizer", other, "--out", out, *few)
    assert result.exit_code == 0, result.output

    refused = lccp("evaluate", model, "--tokenizer", tmp_path / "gone", "--out", out, *few)
    assert refused.exit_code == 2
    assert "--tokenizer: " in refused.stderr


@pytest.mark.slow
def test_prompts_are_written_and_nothing_is_measured(
    lccp: Lccp, tmp_path: Path, few: list[str]
) -> None:
    model, out, path = a_checkpoint(tmp_path / "model"), tmp_path / "out", tmp_path / "asked.jsonl"
    result = lccp("evaluate", model, "--out", out, "--prompts", path, *few)
    assert result.exit_code == 0, result.output
    count = len(path.read_text(encoding="utf-8").splitlines())
    assert result.stdout == f"{path}: {count} samples for {model}\n"
    assert not out.exists()

    refused = lccp("evaluate", model, "--out", out, "--prompts", path, "--dry-run", *few)
    assert refused.exit_code == 2
    assert "--prompts: already measures nothing" in refused.stderr


@pytest.mark.slow
def test_a_model_of_a_hub_is_asked_for_by_its_place(
    lccp: Lccp, tmp_path: Path, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {one.name: one.read_bytes() for one in a_checkpoint(tmp_path / "model").iterdir()}
    monkeypatch.setenv("LCCP_CACHE", str(tmp_path / "cache"))
    with hub_server() as hub:
        hub.repository("models/org/base", files)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        asked = ("hf://org/base", "--out", tmp_path / "out", "--prompts", tmp_path / "prompts")
        result = lccp("evaluate", *asked, *few)

    assert result.exit_code == 0, result.output
    assert (tmp_path / "prompts").is_file()


@pytest.mark.slow
def test_a_series_ends_with_the_verdict_and_goes_on_where_it_was(
    lccp: Lccp, tmp_path: Path, checkpoints: Path, few: list[str]
) -> None:
    out, probes = tmp_path / "out", tmp_path / "probes.yaml"
    probes.write_text(PROBES)
    asked = ("--out", out, "--tokens-per-step", "1K", "--probes", probes, *few)
    result = lccp("evaluate", "--series", checkpoints, *asked)
    assert result.exit_code == 0, result.output
    assert re.findall(r"\[./3\] (\S+), (\S+ K) tokens: 20 of 20 samples", result.stdout) == [
        ("checkpoint-4", "4 K"),
        ("checkpoint-30", "30 K"),
        ("checkpoint-100", "100 K"),
    ]
    assert "Undetermined" in result.stdout
    assert result.stdout.splitlines()[-2:] == [
        f"Report: {out / 'report.html'}",
        f"Next:   lccp analyze {out}",
    ]
    assert (out / "report.html").is_file()
    assert lccp("analyze", out).exit_code == lccp("report", out).exit_code == 0

    shutil.rmtree(out / "evaluations" / "000000000030000")
    again = lccp("evaluate", "--series", checkpoints, *asked)
    assert again.stdout.count("evaluated before") == 2
    assert "checkpoint-30, 30 K tokens: 20 of 20 samples" in again.stdout


@pytest.mark.long
def test_several_checkpoints_are_evaluated_at_a_time(
    lccp: Lccp, tmp_path: Path, checkpoints: Path, few: list[str]
) -> None:
    probes = tmp_path / "probes.yaml"
    probes.write_text(PROBES)
    (checkpoints / "checkpoint-30" / "config.json").write_text("[]")
    asked = ("--out", tmp_path / "out", "--tokens-per-step", "1K", "--probes", probes, *few)
    result = lccp("evaluate", "--series", checkpoints, *asked, "--jobs", "2")
    assert result.exit_code == 1, result.output
    read = re.findall(r"\[(./3)\] \S+, \S+ K tokens: 20 of 20 samples", result.stdout)
    assert sorted(read) == ["1/3", "3/3"]
    assert "[2/3] checkpoint-30, 30 K tokens: failed: " in result.stdout
    assert "1 of 3 checkpoints failed" in result.stdout


def test_several_at_a_time_are_those_of_a_series(lccp: Lccp, tmp_path: Path) -> None:
    refused = lccp("evaluate", tmp_path / "model", "--out", tmp_path / "out", "--jobs", "2")
    assert refused.exit_code == 2
    assert "--jobs: is an option of --series" in refused.stderr


@pytest.mark.slow
def test_a_series_goes_on_after_a_checkpoint_that_fails(
    lccp: Lccp, tmp_path: Path, checkpoints: Path, few: list[str]
) -> None:
    (checkpoints / "checkpoint-30" / "model.safetensors").write_bytes(b"")
    result = lccp(
        *("evaluate", "--series", checkpoints, "--out", tmp_path / "out"),
        *("--tokens-per-step", "1K", *few),
    )
    assert result.exit_code == 1, result.output
    assert "checkpoint-30, 30 K tokens: failed: " in result.stdout
    assert "checkpoint-100, 100 K tokens: " in result.stdout
    assert result.stdout.splitlines()[-1] == "1 of 3 checkpoints failed"


@pytest.mark.slow
def test_options_say_how_a_model_is_measured_and_on_how_much(
    lccp: Lccp, tmp_path: Path, few: list[str]
) -> None:
    model, out, probes = (
        a_checkpoint(tmp_path / "model"),
        tmp_path / "out",
        tmp_path / "probes.yaml",
    )
    probes.write_text(PROBES)
    shared = ("--probes", probes, "--template", r"{context}\nQ: {question}\nA:", "--seed", 7)
    asked = ("evaluate", model, "--out", out, *few, *shared, "--haystacks", "4", "--limit", "2")
    result = lccp(
        *asked, "--context", "400", "--dtype", "bfloat16", "--batch-size", "512", "--lengths", "200"
    )
    assert result.exit_code == 0, result.output
    report = EvaluationReport.from_json((out / FIRST).read_bytes(), "report")
    settings = report.probes["niah"].settings
    assert (settings["haystacks"], settings["seed"]) == (2, 7)
    assert settings["template"] == "{context}\nQ: {question}\nA:"
    assert report.target_context_length == 400
    assert (report.execution_plan["dtype"], report.execution_plan["stepTokens"]) == (
        "bfloat16",
        512,
    )

    refused = lccp(*asked, "--context", "400", "--dtype", "float32")
    assert refused.exit_code == 2
    assert "--dtype: the first checkpoint in" in refused.stderr


def test_a_seed_and_a_template_are_those_of_all_probes_and_a_limit_too(tmp_path: Path) -> None:
    path = tmp_path / "probes.yaml"
    path.write_text("multiKey: {haystacks: 9, sets: 3}\ncorpusPpl: {documents: 8}\n")
    asked = probes_of(Measuring(probes=path, template="{context} {question}", seed=5, limit=4))
    probes = {name: settings.document() for name, settings in asked.asked().items()}
    assert [probes[name]["haystacks"] for name in ("niah", "multi_key")] == [4, 4]
    assert [probes[name]["documents"] for name in ("bio", "corpus_ppl")] == [4, 4]
    assert {probes[name]["seed"] for name in ("niah", "bio", "multi_key")} == {5}
    assert {probes[name]["template"] for name in ("niah", "bio")} == {"{context} {question}"}


@pytest.mark.slow
def test_a_second_model_does_not_replace_the_first(
    lccp: Lccp, tmp_path: Path, few: list[str]
) -> None:
    first, second = (a_checkpoint(tmp_path / name, seed=len(name)) for name in ("one", "two and"))
    out = tmp_path / "out"
    assert lccp("evaluate", first, "--out", out, *few).exit_code == 0
    before = (out / FIRST).read_bytes()
    refused = lccp("evaluate", second, "--out", out, *few)
    assert refused.exit_code == 2
    assert f"holds the report of {first}, also of 0 tokens" in refused.stderr
    assert (out / FIRST).read_bytes() == before

    assert lccp("evaluate", second, "--out", out, *few, "--tokens", "1B").exit_code == 0
    assert (out / "evaluations/000001000000000/intrinsic/report.json").is_file()


BAD = [
    ("a folder of models", ["checkpoints"], "checkpoints: is a folder of models: add --series"),
    ("several models", ["checkpoints/checkpoint-4", "checkpoints"], "MODEL: several models must"),
    ("no folder", ["nowhere"], "MODEL: there is no folder nowhere"),
    ("a file", ["notes.txt", "--series"], "notes.txt: can't be read as a folder: Not a directory"),
    (
        "steps without their tokens",
        ["checkpoints", "--series"],
        "neither its name nor trainer_state.json contains the tokens it was trained on: give",
    ),
    (
        "options of a probe that is off",
        ["checkpoints/checkpoint-4", "--probes", "off.yaml", "--haystacks", "3"],
        "--haystacks: is an option of niah, which off.yaml turns off",
    ),
    (
        "counts for a folder",
        ["checkpoints", "--series", "--tokens", "1B,2B,3B"],
        "--tokens: checkpoints is a folder of checkpoints, which has no order",
    ),
    (
        "a needle without its question",
        ["checkpoints/checkpoint-4", "--needles", "needles.yaml"],
        "--needles[1].question: is required",
    ),
    (
        "a template without a question",
        ["checkpoints/checkpoint-4", "--template", "{context}"],
        "template must hold {context} and, after it, {question}, exactly once each",
    ),
    ("no context", ["checkpoints/checkpoint-4", "--context", "x"], "--context: must be a length"),
    (
        "a source context beyond the model's",
        ["checkpoints/checkpoint-4", "--source-context", "64K"],
        "--source-context: 65,536 tokens lie beyond the context of checkpoints/checkpoint-4, 512",
    ),
    (
        "prompts beyond a context that is given",
        ["checkpoints/checkpoint-4", "--context", "256", "--lengths", "300"],
        "niah.lengths exceeds model.targetContextLength (300 > 256)",
    ),
    ("no count", ["checkpoints", "--series", "--tokens", "0,x"], "--tokens: must be 0 or a number"),
    ("no index", ["checkpoints", "--series", "--index", "gone"], "gone: can't be read"),
    (
        "a file to write to",
        ["checkpoints/checkpoint-4", "--out", "notes.txt"],
        "notes.txt: can't be created as a folder: File exists",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_wrong_input_is_one_sentence(
    lccp: Lccp,
    checkpoints: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(checkpoints.parent)
    Path("notes.txt").write_text("")
    Path("off.yaml").write_text("niah: {enabled: false}")
    Path("needles.yaml").write_text("[{stem: a, key: b, question: c}, {stem: a, key: b}]")
    out = [] if "--out" in arguments else ["--out", "out"]
    result = lccp("evaluate", *arguments, *out)
    assert result.exit_code == 2, result.output
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(Path().rglob("report.json"))
