"""The half of every probe that reads a model: one module each, of the same shape.

Settings, signals and charts are in the other half, `lccp.probes`. A new probe takes a module here,
one there, and a line in each registry.
"""

from collections.abc import Iterator, Mapping

from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import (
    bio,
    corpus_ppl,
    generation,
    interference,
    long_ppl,
    multi_key,
    niah,
    routing,
    target_ppl,
)
from lccp_evaluator.probes.heads import head_ablation, retrieval_heads
from lccp_evaluator.probes.measurement import TorchHalf

HALVES: dict[str, TorchHalf] = {
    half.name: half
    for half in (
        niah.HALF,
        bio.HALF,
        retrieval_heads.HALF,
        head_ablation.HALF,
        multi_key.HALF,
        interference.HALF,
        generation.HALF,
        corpus_ppl.HALF,
        target_ppl.HALF,
        long_ppl.HALF,
        routing.HALF,
    )
}


def by_source(asked: Mapping[str, Contract]) -> Iterator[tuple[TorchHalf, list[TorchHalf]]]:
    """Requested probes that draw samples, each with all probes that read them, itself first.

    Raises InvalidInput for a probe that cannot be measured.
    """
    _check(asked)
    for name in asked:
        if HALVES[name].source is not None:
            readers = [
                HALVES[n] for n, settings in asked.items() if PROBES[n].reads(settings) == name
            ]
            yield HALVES[name], [HALVES[name], *readers]


def _check(asked: Mapping[str, Contract]) -> None:
    for name, settings in asked.items():
        if name not in HALVES:
            raise InvalidInput(f"probe {name}: has no half that reads a model: add it to HALVES")
        if HALVES[name].source is None and PROBES[name].reads(settings) is None:
            raise InvalidInput(
                f"probe {name}: has no samples: give its TorchHalf a source, or its Probe the need "
                "of a probe whose samples it reads"
            )
