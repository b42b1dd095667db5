"""Answers that a model generates: by hand, and by transformers on models of three families."""

from dataclasses import replace
from pathlib import Path

import made_records
import numpy as np
import pytest
import torch
from measured import NIAH, NIAH_ALONE, measured
from tiny_checkpoints import a_checkpoint
from transformers import AutoModelForCausalLM, AutoTokenizer

from lccp.api.spec.probes import ProbesSpec
from lccp.probes.generation import GenerationSettings
from lccp_evaluator.probes.generation import answered, measure
from lccp_evaluator.sampling.crossing import FULL
from lccp_evaluator.sampling.samples import FrozenSamples

FURTHER, SAMPLES = 3, 5
EVALUATION = "evaluations/000000000000000/intrinsic"


def test_as_many_prompts_as_asked_are_answered_the_same_ones_each_time() -> None:
    samples = made_records.records().samples
    asked = GenerationSettings(samples=7, further=2)
    found = answered(samples, asked, seed=3)

    assert len(found) == 7
    assert found == answered(samples, asked, seed=3) != answered(samples, asked, seed=4)
    for number, tokens in found.items():
        start, stop = samples[number].answer
        assert samples[number].role == FULL
        assert tokens == stop - start + 2
    all_of_them = answered(samples, GenerationSettings(samples=1_000), seed=3)
    assert len(all_of_them) == sum(sample.role == FULL for sample in samples)


def test_a_key_may_stand_anywhere_in_what_is_said() -> None:
    records = made_records.records()
    keys = ([0, 0], [0])  # the answers of handmade records are zeros
    said = [
        [1, *keys[sample.labels["needle"]], 2] if sample.labels.get("haystack") == 1 else [1, 2]
        for sample in records.samples
    ]
    readings = [
        replace(reading, said=np.array(own, np.int32))
        for reading, own in zip(records.readings, said, strict=True)
    ]
    asked = GenerationSettings(samples=1_000)
    found = measure(replace(records, readings=readings), asked, made_records.contexts(150))

    # Haystack 1 is said and does not score; 0 and 2 score and are not said.
    values = {signal.name: (signal.value, signal.n) for signal in found.signals}
    assert values == {"niah_containment": (1 / 3, 24), "niah_agreement": (0, 24)}
    upper = replace(records, readings=readings, text=lambda ids: "A\n B" if 1 in ids else "a  b")
    contained = measure(upper, asked, made_records.contexts(150)).samples["contained"]
    assert contained.all()


@pytest.mark.long
@pytest.mark.parametrize("family", ["hunyuan_v1_moe", "llama", "qwen3_moe"])
def test_values_are_those_of_transformers_own_generation(family: str, tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path / "model", model_type=family, max_position_embeddings=300)
    asked = {"samples": SAMPLES, "further": FURTHER}
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": NIAH, "generation": asked}, "probes")
    report = measured(folder, tmp_path / "out", probes, source_context=150)

    (path,) = (tmp_path / "out" / "samples" / "niah").glob("*.jsonl.gz")
    frozen = FrozenSamples.from_bytes(path.read_bytes(), "niah")
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    agree, contained = [], []
    for number in answered(frozen.samples, GenerationSettings(**asked), seed=0):
        sample = frozen.samples[number]
        ids, (start, stop) = frozen.passage(sample).ids.astype(np.int64), sample.answer
        prompt = torch.from_numpy(ids[:start])[None]
        count = stop - start + FURTHER
        whole = model.generate(prompt, do_sample=False, max_new_tokens=count, pad_token_id=0)
        said, key = (
            tokenizer.decode(part, skip_special_tokens=False).casefold().split()
            for part in (whole[0, start:], ids[start + sample.key_start : stop])
        )
        with torch.no_grad():
            best = model(torch.from_numpy(ids)[None]).logits[0].argmax(-1).numpy()
        rows = slice(start + sample.key_start - 1, stop - 1)
        scores = (best[rows] == ids[start + sample.key_start : stop]).all()
        contained.append(" ".join(key) in " ".join(said))
        agree.append(contained[-1] == scores)
    values = {"niah_containment": contained, "niah_agreement": agree}
    for name, expected in values.items():
        signal = report.signal(name)
        assert signal is not None
        assert (signal.value, signal.n) == (np.mean(expected), SAMPLES)
    with np.load(tmp_path / "out" / EVALUATION / "generation.samples.npz") as samples:
        assert samples["contained"].tolist() == contained
