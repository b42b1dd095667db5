import gzip
import time

import numpy as np
import pytest
from sampled import frozen as frozen_samples
from tiny_checkpoints import a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings, resolved
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.tokenization import Tokenizer

CONTEXTS = Contexts(256, 512, 512)


def some(tmp_path, **changed):
    a_tokenizer("byte pairs").save_pretrained(tmp_path / "tokenizer")
    niah = NiahSettings(lengths=(384,), depths_percent=(0, 50), haystacks=3, **changed)
    tokenizer = Tokenizer(tmp_path / "tokenizer")
    return frozen_samples("niah", resolved(niah, CONTEXTS), tokenizer)


def test_the_same_settings_give_the_same_bytes_and_the_file_reads_back(tmp_path, monkeypatch):
    first, second = some(tmp_path), some(tmp_path)
    data = first.to_bytes()
    read = FrozenSamples.from_bytes(data, "samples")

    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert second.to_bytes() == data
    assert read.digest == first.digest
    assert read.samples == first.samples
    assert read.to_bytes() == data
    for sample in first.samples:
        assert (read.passage(sample).ids == first.passage(sample).ids).all()


def test_keys_change_the_digest_and_not_the_name(tmp_path):
    frozen = some(tmp_path)
    marked = frozen.marked([(0, 1)] * len(frozen.samples), "a model")
    read = FrozenSamples.from_bytes(marked.to_bytes(), "samples")

    assert read.digest == marked.digest != frozen.digest
    assert read.name == frozen.name == frozen.digest
    assert {one.keys for one in read.samples} == {(0, 1)}


@pytest.mark.slow
def test_the_digest_covers_settings_and_seed(tmp_path):
    digests = {some(tmp_path, seed=0).digest, some(tmp_path, seed=1).digest}
    digests |= {some(tmp_path, separator="\n").digest}

    assert len(digests) == 3


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    data = some(tmp_path).to_bytes()
    for damaged in (
        data[: len(data) // 2],
        b"",
        b"{}",
        *(gzip.compress(text) for text in (b"{}\n", b"", b"[" * 100_000)),
    ):
        with pytest.raises(InvalidInput, match=r"^samples: is damaged"):
            FrozenSamples.from_bytes(damaged, "samples")


def test_the_tokens_of_a_span_are_those_of_the_whole_sample(tmp_path):
    frozen = some(tmp_path)
    for sample in frozen.samples[:4]:
        whole = frozen.passage(sample).ids
        for span in (sample.needle, sample.answer, (0, 1), (3, sample.length - 3)):
            np.testing.assert_array_equal(frozen.tokens(sample, span), whole[slice(*span)])


def test_a_cohort_holds_the_samples_of_one_haystack(tmp_path):
    frozen = some(tmp_path)
    haystacks = [
        {frozen.samples[number].labels.get("haystack") for number in cohort}
        for cohort in frozen.cohorts()
    ]
    assert haystacks[:3] == [{0}, {1}, {2}]
