import json
import shutil

import numpy as np
import pytest
import torch
from measured import NIAH, measured
from tiny_checkpoints import a_checkpoint
from transformers import AutoModelForCausalLM

from lccp.api.objects.report import EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp_evaluator.sampling.crossing import FULL
from lccp_evaluator.sampling.samples import FrozenSamples

pytestmark = pytest.mark.slow

EVALUATION = "evaluations/000000000000000/intrinsic"
WITHOUT_BIO = {"bio": {"enabled": False}, "retrievalHeads": {"source": "Niah"}}


def probes(**changed):
    return ProbesSpec.parse({"niah": NIAH | changed} | WITHOUT_BIO, "probes")


def evaluate(model, out, source_context=256, tokens=0, **changed):
    told = []
    report = measured(
        model,
        out,
        probes(**changed),
        source_context,
        tokens,
        lambda done: told.append((done.samples, done.total)),
    )
    return report, told


def bands(report):
    return {signal.band for signal in report.probes["niah"].signals}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A folder with a model, measured into `out`; its report, and what was told of progress."""
    folder = tmp_path_factory.mktemp("first")
    return folder, *evaluate(a_checkpoint(folder / "model"), folder / "out")


def test_a_directory_is_measured_without_a_run(first):
    folder, report, told = first

    assert told[0] == (0, 20)
    assert told[-1] == (20, 20)
    assert bands(report) == {"guard", "extension"}
    assert report == EvaluationReport.from_json(
        (folder / "out" / EVALUATION / "report.json").read_bytes(), "report.json"
    )
    assert {path.name for path in (folder / "out" / EVALUATION).iterdir()} >= {
        "report.json",
        "niah.npz",
        "niah.samples.npz",
        "retrieval_heads.npz",
        "retrieval_heads.samples.npz",
        "source.json",
    }


def test_the_report_says_what_full_logits_say(first):
    folder, *_ = first
    path = next((folder / "out" / "samples" / "niah").iterdir())
    frozen = FrozenSamples.from_bytes(path.read_bytes(), "samples")
    model = AutoModelForCausalLM.from_pretrained(folder / "model", attn_implementation="eager")
    arrays = folder / "out" / EVALUATION / "niah.samples.npz"
    found = np.load(arrays, allow_pickle=False)["nll"]

    full = [sample for sample in frozen.samples if sample.role == FULL]
    for sample, nll in zip(full, found, strict=True):
        ids = torch.tensor(frozen.passage(sample).ids[None]).long()
        labels = ids.clone()
        labels[:, : sample.answer[0]] = -100
        with torch.no_grad():
            expected = model(ids, labels=labels).loss.item()
        assert nll == pytest.approx(expected, abs=1e-5)


def test_a_second_model_answers_the_samples_of_the_first(first, tmp_path):
    folder, report, _ = first
    shutil.copytree(folder / "out", tmp_path / "out")
    second, _ = evaluate(a_checkpoint(tmp_path / "b", seed=1), tmp_path / "out", tokens=1)

    assert report.probes["niah"].samples_digest == second.probes["niah"].samples_digest
    assert report.checkpoint_digest != second.checkpoint_digest
    assert len(list((tmp_path / "out" / "samples" / "niah").iterdir())) == 1


def test_without_a_source_context_all_lengths_are_within_it(tmp_path):
    report, _ = evaluate(a_checkpoint(tmp_path / "model"), tmp_path / "out", None, haystacks=2)

    assert bands(report) == {"guard"}
    assert report.source_context_length == report.target_context_length == 512


def test_other_settings_need_another_folder_and_leave_this_ones_report(tmp_path):
    model = a_checkpoint(tmp_path / "model")
    evaluate(model, tmp_path / "out")

    with pytest.raises(AssertionError, match=r"other settings .*\(seed\)"):
        evaluate(model, tmp_path / "out", seed=1)
    assert (tmp_path / "out" / EVALUATION / "report.json").is_file()


def without_config(model):
    (model / "config.json").unlink()


def without_context(model):
    (model / "config.json").write_text(json.dumps({"model_type": "bloom"}))


def with_cut_weights(model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5_000])


def of_unknown_type(model):
    config = json.loads((model / "config.json").read_text()) | {"model_type": "zyzzyva"}
    (model / "config.json").write_text(json.dumps(config))


FAULTS = {
    "no config": (without_config, r"model: contains no config.json"),
    "no context": (
        without_context,
        r"config.json: does not say how many tokens",
    ),
    "cut weights": (
        with_cut_weights,
        r"model.safetensors: is cut short or damaged: its first bytes are no whole header",
    ),
    "unknown type": (
        of_unknown_type,
        r"config.json: cannot be read as a model's configuration: .*`zyzzyva`",
    ),
}


@pytest.mark.parametrize(("fault", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_model_is_refused_in_one_sentence(tmp_path, fault, sentence):
    model = a_checkpoint(tmp_path / "model")
    fault(model)

    with pytest.raises(AssertionError, match=sentence) as raised:
        evaluate(model, tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out" / EVALUATION / "report.json").exists()
