"""What the suite for lm-evaluation-harness writes is what the evaluator reads."""

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from operator_world import manifest_of

from lccp.api.spec.evaluation import EvaluationSpec
from lccp.api.spec.saturation import SaturationSpec
from lccp_evaluator.external.signals import read_signals, report_of

FOLDER = Path(__file__).parents[2] / "examples" / "suites" / "lm-eval"
# As lm-evaluation-harness 0.4.13 gives it, shortened.
FOUND = {
    "results": {
        "capitals": {
            "name": "capitals",
            "alias": "capitals",
            "sample_len": 16,
            "acc,none": 0.75,
            "acc_stderr,none": 0.11,
            "perplexity,none": 12.0,
            "perplexity_stderr,none": "N/A",
            "exact_match,strict-match": float("nan"),
        }
    },
    "group_subtasks": {},
    "higher_is_better": {"capitals": {"acc": True, "perplexity": False}},
    "versions": {"capitals": 1},
    "n-shot": {"capitals": 0},
    "samples": {
        "capitals": [
            {"doc_hash": "a", "filter": "none", "acc": 1.0, "perplexity": 12.0},
            {"doc_hash": "b", "filter": "none", "acc": 0.5, "perplexity": 12.0},
            {"doc_hash": "a", "filter": "strict-match", "exact_match": float("nan")},
        ]
    },
}


@pytest.fixture(scope="module")
def script():
    path = FOLDER / "lm_eval_signals.py"
    spec = importlib.util.spec_from_file_location("lm_eval_signals", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.LIBRARIES = ("torch",)
    return module


def test_metrics_become_signals_with_their_standard_errors(script):
    manifest = yaml.safe_load((FOLDER / "suite.yaml").read_text())
    (suite,) = EvaluationSpec.parse(manifest["evaluation"], "suite.yaml").suites
    SaturationSpec.parse(manifest["saturation"], "suite.yaml")

    data = json.dumps(script.document_of(FOUND, {"limit": None})).encode()
    report = report_of(read_signals(data, suite), suite, manifest_of(4_096))

    accuracy, perplexity = report.signals()
    assert accuracy.name in manifest["saturation"]["guards"]
    assert (accuracy.value, accuracy.n) == (0.75, 2)
    assert accuracy.interval == pytest.approx((0.534, 0.966), abs=1e-3)
    assert (perplexity.name, perplexity.better) == ("lm_eval/capitals.perplexity", "Lower")
    assert perplexity.interval is None


def test_other_samples_have_another_digest(script):
    other = FOUND | {"samples": {"capitals": FOUND["samples"]["capitals"][:1]}}

    digests = [script.document_of(found, {})["samplesDigest"] for found in (FOUND, other)]

    assert digests[0] != digests[1]


LENGTHS = (4_096, 8_192)


def ruler(lengths: Sequence[int]) -> dict[str, Any]:
    """A group of two tasks that averages one length of several; -1 stands for other lengths."""
    samples = [
        {"doc_hash": f"{n}", "filter": "none"}
        | {f"{other}": -1.0 for other in LENGTHS}
        | {f"{n}": 1.0}
        for n in lengths
    ]
    scores = {f"{n},none": 0.5 if n in lengths else -1.0 for n in LENGTHS}
    average = {"alias": "ruler", "4096,none": scores["4096,none"], "4096_stderr,none": "N/A"}
    tasks = ("one", "two")
    return {
        "results": {"ruler": average} | {task: {"name": task} | scores for task in tasks},
        "groups": {"ruler": average},
        "group_subtasks": {"ruler": list(tasks)},
        "higher_is_better": {name: {f"{n}": True for n in LENGTHS} for name in ("ruler", *tasks)},
        "versions": {},
        "n-shot": {},
        "samples": dict.fromkeys(tasks, samples),
    }


def test_the_average_of_a_group_stands_for_its_tasks(script):
    def names(*asked: str) -> dict[str, int]:
        found = script.document_of(ruler(LENGTHS), {}, asked)["signals"]
        return {one["name"]: one["n"] for one in found}

    assert names("ruler") == {"ruler.4096": 2, "one.8192": 1, "two.8192": 1}
    assert names("ruler", "two") == {"ruler.4096": 2, "one.8192": 1, "two.8192": 1, "two.4096": 1}


def test_what_was_not_measured_is_no_signal(script):
    found = script.document_of(ruler([8_192]), {}, ["ruler"])["signals"]

    assert {one["name"]: one["value"] for one in found} == {"one.8192": 0.5, "two.8192": 0.5}


def test_names_are_written_as_signals_are_and_too_long_ones_cut(script):
    assert script.name_of("ARC:easy", "acc", "none") == "arc-easy.acc"
    assert script.name_of("gsm8k", "exact_match", "strict") == "gsm8k.exact_match.strict"
    long = "mmlu_high_school_government_and_politics"
    names = {script.name_of(long, metric, "none") for metric in ("acc", "acc_norm")}
    assert len(names) == 2
    assert all(re.fullmatch(r"mmlu_high_school_governme-[0-9a-f]{6}", name) for name in names)
