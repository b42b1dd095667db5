"""`docs/reference/probes.md`: the definition of every number of every probe."""

from collections.abc import Iterable, Iterator

from pydantic.alias_generators import to_camel

from lccp.contract.signals import Signal
from lccp.probes.probe import Need, Probe
from lccp.probes.registry import PROBES

HEAD = """# Probes

What each probe measures at a checkpoint: definitions, formulas and sources. This page is generated
from `lccp/probes` by `make generate`; settings are in
[the reference of the manifest](lccprun.md#specevaluation).

All probes work under teacher forcing: the model is given the prompt and the right answer, and its
probabilities are read. NLL is in nats. Samples are drawn once for a run from settings and seed,
frozen with their digest, and answered by every checkpoint.

Beside the value of a signal a report holds

- `n`: the number of samples (prompts, questions or documents) that it is taken over;
- `byCluster`: its values over the samples of each cluster, so that contrasts between checkpoints
  are paired by cluster. Of a difference or quotient of means (`context_gain`, `recovery`) it is the
  share of each cluster, whose mean is the value (a quotient is linearized around the means);
- `interval`, of a few signals, at 95 %: that of a mean over clusters, by Student's t. Variances of
  crossed kinds of clusters add, with Welch-Satterthwaite degrees of freedom; what haystacks and
  needles share counts twice, so it is rather too wide. That of the number of heads is of a
  percentile bootstrap. Gains and comparisons have intervals of their own, from `byCluster`
  ([verdict](../explanation/verdict.md)).

Columns of the tables: *scale* is that of its gains (on `Log` a gain of 0.01 is 1 %), *role* is its
role in a verdict unless the policy says otherwise.
"""
COLUMNS = ("signal", "what", "unit", "scale", "better", "role")


def render() -> str:
    """The page."""
    return "\n".join([HEAD, *(_section(probe) for probe in PROBES.values())])


def _section(probe: Probe) -> str:
    compared = probe.comparison.signals if probe.comparison else ()
    signals = (*probe.signals(probe.usual), *compared)
    parts = [f"## {to_camel(probe.name)}", *_facts(probe), probe.definition.strip()]
    if signals:
        parts.append(_table(signals))
    return "\n\n".join(parts) + "\n"


def _facts(probe: Probe) -> Iterator[str]:
    on = "" if probe.default is not None else " Off unless the manifest requests it."
    reads = f" Reads the samples of {_any_of(probe.needs)}." if probe.needs else ""
    yield f"{probe.description} Version {probe.version}.{on}{reads}"


def _any_of(needs: Iterable[Need]) -> str:
    return " or ".join(
        f"`{to_camel(need.probe)}`" + (f" (`source: {need.source}`)" if need.source else "")
        for need in needs
    )


def _table(signals: Iterable[Signal]) -> str:
    rows = [
        (f"`{one.name}`", one.title, one.unit, one.scale.value, one.better.value, one.role.value)
        for one in signals
    ]
    lines = (COLUMNS, tuple("---" for _ in COLUMNS), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
