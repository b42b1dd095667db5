"""What the suite for lm-evaluation-harness writes is what the evaluator reads."""

import importlib.util
import json
from pathlib import Path

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
    "n-samples": {"capitals": {"original": 16, "effective": 16}},
    "higher_is_better": {"capitals": {"acc": True, "perplexity": False}},
    "versions": {"capitals": 1},
    "n-shot": {"capitals": 0},
    "samples": {"capitals": [{"doc_hash": "a"}, {"doc_hash": "b"}]},
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
    assert (accuracy.value, accuracy.n) == (0.75, 16)
    assert accuracy.interval == pytest.approx((0.534, 0.966), abs=1e-3)
    assert (perplexity.name, perplexity.better) == ("lm_eval/capitals.perplexity", "Lower")
    assert perplexity.interval is None


def test_other_samples_have_another_digest(script):
    other = FOUND | {"samples": {"capitals": [{"doc_hash": "a"}]}}

    digests = [script.document_of(found, {})["samplesDigest"] for found in (FOUND, other)]

    assert digests[0] != digests[1]


def test_names_are_written_as_signals_are_and_too_long_ones_refused(script):
    assert script.name_of("ARC:easy", "acc", "none") == "arc-easy.acc"
    assert script.name_of("gsm8k", "exact_match", "strict") == "gsm8k.exact_match.strict"
    with pytest.raises(SystemExit, match="has more than 32 characters: rename the task"):
        script.name_of("a" * 32, "acc", "none")
