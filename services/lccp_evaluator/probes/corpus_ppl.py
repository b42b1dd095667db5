"""Perplexity of whole documents: by corpus and by position. See `lccp.probes.corpus_ppl`."""

from collections.abc import Iterator

import numpy as np

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Signal
from lccp.probes import corpus_ppl
from lccp.probes.corpus_ppl import CorpusPplSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.probes.measurement import (
    Arrays,
    Measurement,
    SampleSource,
    TorchHalf,
    measured,
)
from lccp_evaluator.probes.statistics.cells import by_sample
from lccp_evaluator.records import FloatArray, Records
from lccp_evaluator.sampling import corpora
from lccp_evaluator.sampling.corpora import GUARD, SHORT, WHOLE


def measure(records: Records, asked: CorpusPplSettings, _contexts: Contexts) -> Measurement:
    """Signals of every corpus, perplexity [corpora, positions], and values of every document."""
    whole = records.of(WHOLE)
    tail = np.array([r.nll[-asked.tail_tokens :].mean(dtype=np.float64) for r in whole.readings])
    columns = {
        "corpus_ppl": (whole, whole.nll),
        "corpus_tail_ppl": (whole, tail),
        "corpus_ppl_guard": (records.of(GUARD), records.of(GUARD).nll),
        "corpus_ppl_short": (records.of(SHORT), records.of(SHORT).nll),
    }
    names = [corpus.name for corpus in asked.corpora]
    found: list[SignalValue] = []
    for signal in corpus_ppl.signals(asked):
        kind, _, name = signal.name.partition("/")
        found += _value(signal, *columns[kind], names.index(name))
    hashes = np.array(whole.frozen.header.names["document"])[whole.label("document")]
    own = {name: hashes[whole.label("corpus") == n].tolist() for n, name in enumerate(names)}
    samples = by_sample(whole, {"tail_nll": tail})
    return Measurement(found, _by_position(whole, asked), samples, documents=own)


def _value(signal: Signal, records: Records, nll: FloatArray, corpus: int) -> Iterator[SignalValue]:
    """The value of `signal` over the documents of a corpus; none if it has no samples."""
    if len(nll) == 0:
        return
    own = nll[records.label("corpus") == corpus]
    yield measured(signal, float(np.exp(own.mean())), len(own), {"document": np.exp(own)})


def _by_position(whole: Records, asked: CorpusPplSettings) -> Arrays:
    """Perplexity [corpora, bands] over the bands' tokens, and of the mean over corpora."""
    length = whole.samples[0].length
    edges = np.unique(np.linspace(0, length, asked.bands + 1).round().astype(np.int64))
    edges = np.concatenate(([0], edges[edges > 1]))  # the first token is not judged
    judged = np.stack([reading.nll for reading in whole.readings]).astype(np.float64)
    sums = np.add.reduceat(judged, np.maximum(edges[:-1] - 1, 0), axis=1)
    counts = np.diff(np.maximum(edges - 1, 0))
    by_document = sums / counts
    corpus = whole.label("corpus")
    by_corpus = np.stack([by_document[corpus == one].mean(axis=0) for one in np.unique(corpus)])
    return {
        "positions": edges[:-1],
        "ppl": np.exp(by_corpus),
        "ppl_by_position": np.exp(by_corpus.mean(axis=0)),
    }


HALF = TorchHalf(corpus_ppl.PROBE.name, measure, source=SampleSource(corpora.VERSION, corpora.draw))
