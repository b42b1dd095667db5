"""The registry of probes: explicit, and frozen as soon as the manifest is made from it."""

from collections.abc import Iterator, Mapping
from typing import Any

from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Signal
from lccp.probes import (
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
from lccp.probes.heads import head_ablation, retrieval_heads
from lccp.probes.probe import ClusterKind, Column, Probe


class Registry(Mapping[str, Probe]):
    """Probes by name, in the order in which they were added."""

    def __init__(self, *probes: Probe) -> None:
        self._probes: dict[str, Probe] = {}
        self._frozen = False
        for probe in probes:
            self.add(probe)

    def add(self, probe: Probe) -> None:
        """Add a probe. Raises InvalidInput once the registry is frozen, or if the name is taken."""
        if self._frozen:
            raise InvalidInput(
                f"probe {probe.name}: the registry is frozen: add it before lccp.api is imported"
            )
        if probe.name in self._probes:
            raise InvalidInput(f"probe {probe.name}: is registered twice")
        self._probes[probe.name] = probe

    def freeze(self) -> "Registry":
        """This registry, to which nothing can be added any more."""
        self._frozen = True
        return self

    def __getitem__(self, name: str) -> Probe:
        return self._probes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._probes)

    def __len__(self) -> int:
        return len(self._probes)

    def signals(self) -> tuple[Signal, ...]:
        """Signals that probes measure as usual, those that compare checkpoints included."""
        found: list[Signal] = []
        for probe in self.values():
            found += probe.signals(probe.usual)
            found += probe.comparison.signals if probe.comparison else ()
        return tuple(found)

    def clusters(
        self, probe: str, signal: str, asked: Mapping[str, Contract]
    ) -> tuple[ClusterKind, ...]:
        """Clusters by which `probe` reports a signal, given the settings of all enabled probes.

        Empty if it reports none, or is not enabled.
        """
        if probe not in asked:
            return ()
        declared, settings = self[probe], asked[probe]
        read = declared.reads(settings)
        kinds = declared.clusters(settings) or (self[read].clusters(asked[read]) if read else ())
        return tuple(declared.averaged(signal, kinds))

    def is_look(self, name: str, settings: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether what `name` measures is a first look, which decides nothing.

        `settings` are those of each enabled probe, as documents. A probe that reads the samples of
        another is a look where the other is.
        """
        if name not in self:
            return False
        needs = (need for need in self[name].needs if need.is_meant(settings[name]))
        read = [name, *(need.probe for need in needs)]
        return any(self[one].is_look(settings.get(one, {})) for one in read)

    def fixed_clusters(self, probe: str | None) -> set[str]:
        """Kinds of clusters of a probe whose number no setting chooses; none of an unknown one."""
        declared = self.get(probe or "")
        kinds = declared.clusters(declared.usual) if declared else ()
        return {kind.name for kind in kinds if kind.fixed}

    def columns(self) -> tuple[Column, ...]:
        """Columns of the probes that run by default."""
        on = (probe for probe in self.values() if probe.default is not None)
        return tuple(column for probe in on for column in probe.columns)


PROBES = Registry(
    niah.PROBE,
    bio.PROBE,
    retrieval_heads.PROBE,
    head_ablation.PROBE,
    multi_key.PROBE,
    interference.PROBE,
    generation.PROBE,
    corpus_ppl.PROBE,
    target_ppl.PROBE,
    long_ppl.PROBE,
    routing.PROBE,
)
