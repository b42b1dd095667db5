"""Samples as text, for people who want to read a model's prompts."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lccp.store.local import atomic_write
from lccp_evaluator.asked import Asked
from lccp_evaluator.sampling.samples import FrozenSamples, Sample, Span
from lccp_evaluator.sampling.tokenization import Tokenizer


def write_prompts(asked: Iterable[Asked], tokenizer: Tokenizer, path: Path) -> int:
    """Write one line of JSON per sample; return the number of samples.

    Each has probe, role, labels, number of tokens, the prompt up to the answer, the judged answer,
    and the needle if there is one. Raises InvalidInput if `path` can't be written.
    """
    count = 0
    with atomic_write(path) as write:
        for document in _documents(asked, tokenizer):
            write(json.dumps(document, ensure_ascii=False).encode() + b"\n")
            count += 1
    return count


def _documents(asked: Iterable[Asked], tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    for one in asked:
        for sample in one.frozen.samples:
            yield _document(one.frozen, sample, tokenizer)


def _document(frozen: FrozenSamples, sample: Sample, tokenizer: Tokenizer) -> dict[str, Any]:
    def text(span: Span | None) -> str | None:
        return None if span is None else tokenizer.text(frozen.tokens(sample, span).tolist())

    names = frozen.header.names
    labels = {
        name: names[name][int(value)] if name in names else value
        for name, value in sample.labels.items()
    }
    return {
        "probe": frozen.header.probe,
        "role": sample.role,
        "labels": labels,
        "tokens": sample.length,
        "prompt": text((0, sample.answer[0])),
        "answer": text(sample.answer),
        "needle": text(sample.needle),
    }
