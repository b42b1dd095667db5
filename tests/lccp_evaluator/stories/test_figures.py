"""The figures of arXiv 2604.02650 are drawn from what the demo's probes measure.

The demo's base model is evaluated once by the demo's own settings; each further checkpoint has the
same report at other tokens, with a perplexity that falls.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest
import yaml
from measured import measured

from lccp.api.objects.report import EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp.report.judged import verdict_of
from lccp.report.load import RunData
from lccp.report.page.exhibits import exhibits

pytestmark = pytest.mark.long

DEMO = Path(__file__).parents[3] / "examples" / "tiny"
SOURCE, TARGET = 256, 512
TOKENS = (0, 102_400, 204_800, 307_200, 409_600)
CURVES = {
    "3": (
        "NIAH score and perplexity against tokens",
        {"NIAH score", "NIAH-PPL"},
    ),
    "5": (
        "Retrieval heads against tokens",
        {"Retrieval heads", "Initial heads' score"},
    ),
    "6, linear": (
        "Corpus perplexity against tokens",
        {"Corpus PPL, held", "Corpus PPL, held: A ln N + B"},
    ),
    "6, logarithmic": (
        "Corpus perplexity against the logarithm of tokens",
        {"Corpus PPL, held", "Corpus PPL, held: A ln N + B"},
    ),
}
MAPS = {
    "2": ("Perplexity by length and depth", (3, 4)),
    "4": ("Retrieval score of every head", (3, 4)),
    "8": ("Perplexity by distance and interference", None),
}
"""A panel for each checkpoint; the number of rows and columns, where the settings tell it."""
PROFILES = {
    "7": "Perplexity of needles by depth",
    "9": "Perplexity against interference at one distance",
}
"""A line for each checkpoint."""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, go.Figure]:
    """The report's figures by title."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(DEMO / "model", folder / "model")
    config = folder / "model" / "config.json"
    longer = json.loads(config.read_text()) | {"max_position_embeddings": TARGET}
    config.write_text(json.dumps(longer))
    report = measured(folder / "model", folder / "out", _probes(), SOURCE)
    data = RunData(
        "demo",
        tuple(_later(report, tokens) for tokens in TOKENS),
        fetch=lambda _, name: (
            folder / "out" / "evaluations" / f"{0:015d}" / "intrinsic" / name
        ).read_bytes(),
    )
    return {exhibit.title: exhibit.figure for exhibit in exhibits(data, verdict_of(data))}


def _probes() -> ProbesSpec:
    """Those of the demo, with its documents where they are."""
    document = yaml.safe_load((DEMO / "run.yaml").read_text())
    probes: dict[str, Any] = document["spec"]["evaluation"]["probes"]
    for texts in (probes["niah"]["haystack"], *probes["corpusPpl"]["corpora"]):
        texts["path"] = str(DEMO / texts["path"])
    return ProbesSpec.parse(probes, "probes")


def _later(report: EvaluationReport, tokens: int) -> EvaluationReport:
    """The report with its corpus perplexities on a line that falls with the tokens."""
    document = json.loads(report.to_json()) | {"tokens": tokens}
    for signal in document["probes"]["corpus_ppl"]["signals"]:
        signal["value"] *= 2 - tokens / max(TOKENS) / 2
        signal["byCluster"] = {}
    return EvaluationReport.parse(document, "report")


@pytest.mark.parametrize(("title", "lines"), CURVES.values(), ids=CURVES.keys())
def test_curves_are_against_tokens(
    drawn: dict[str, go.Figure], title: str, lines: set[str]
) -> None:
    found = {trace.name: trace for trace in drawn[title].data}
    assert lines <= {*found}
    assert all(len(found[line].y) >= len(TOKENS) - 1 for line in lines)


@pytest.mark.parametrize(("title", "size"), MAPS.values(), ids=MAPS.keys())
def test_every_checkpoint_has_its_map(
    drawn: dict[str, go.Figure], title: str, size: tuple[int, int] | None
) -> None:
    maps = [trace.z for trace in drawn[title].data]
    assert len(maps) == len(TOKENS)
    rows, columns = size or (2, 2)
    assert all(len(one) >= rows and len(one[0]) >= columns for one in maps)


@pytest.mark.parametrize("title", PROFILES.values(), ids=PROFILES.keys())
def test_every_checkpoint_has_its_line(drawn: dict[str, go.Figure], title: str) -> None:
    lines = [trace for trace in drawn[title].data if trace.mode == "lines+markers"]
    assert len(lines) == len(TOKENS)
    assert all(len(line.y) >= 3 for line in lines)
