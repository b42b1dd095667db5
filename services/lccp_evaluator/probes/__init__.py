"""The half of every probe that reads a model: one module each, of one shape.

Settings, signals and charts are in the other half, `lccp.probes`. A further probe is a module here,
one there, and a line in each registry.
"""

from collections.abc import Iterator, Mapping

from lccp.contract.base import Contract
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import (
    bio,
    corpus_ppl,
    interference,
    multi_key,
    niah,
    retrieval_heads,
    routing,
    target_ppl,
)
from lccp_evaluator.probes.measurement import TorchHalf

HALVES: dict[str, TorchHalf] = {
    half.name: half
    for half in (
        niah.HALF,
        bio.HALF,
        retrieval_heads.HALF,
        multi_key.HALF,
        interference.HALF,
        corpus_ppl.HALF,
        target_ppl.HALF,
        routing.HALF,
    )
}


def by_source(asked: Mapping[str, Contract]) -> Iterator[tuple[TorchHalf, list[TorchHalf]]]:
    """Of the asked probes, those that draw samples, each with all that read them, itself first."""
    for name in asked:
        if HALVES[name].source is not None:
            readers = [
                HALVES[n] for n, settings in asked.items() if PROBES[n].reads(settings) == name
            ]
            yield HALVES[name], [HALVES[name], *readers]
