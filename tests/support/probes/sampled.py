"""Frozen samples of a probe, drawn here."""

from pathlib import Path
from typing import Any

from lccp_evaluator.probes import HALVES
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.tokenization import Tokenizer


def frozen(probe: str, settings: Any, tokenizer: Tokenizer, base: Path = Path()) -> FrozenSamples:
    """The samples of `probe` with `settings`, defaults resolved."""
    source = HALVES[probe].source
    assert source is not None
    files = Files(base)
    drawn = source.draw(settings, tokenizer, files)
    document = settings.document()
    return FrozenSamples.of(
        drawn, probe, source.version, document, "digest", tokenizer.vocabulary, files.read
    )
