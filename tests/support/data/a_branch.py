"""A branch of the run that never was: the objects that its end leaves in the store."""

from functools import cache

import a_run

from lccp.api.labels import ANNEAL
from lccp.api.objects.report import EvaluationReport, ProbeReport
from lccp.store.keys import RunKeys
from lccp.store.port import Store
from lccp_evaluator.main import of_suite


def annealed(value: float) -> float:
    """What a branch makes of the run's value: a tenth nearer to 1, perplexity or share."""
    return 1 + 0.9 * (value - 1)


@cache
def report(tokens: int) -> EvaluationReport:
    """The report of the branch that began at `tokens`."""
    made = of_suite(a_run.report(tokens), ANNEAL)
    probes = {name: _annealed(probe) for name, probe in made.probes.items()}
    return made.model_copy(update={"probes": probes})


def _annealed(probe: ProbeReport) -> ProbeReport:
    signals = tuple(
        one.model_copy(update={"value": annealed(one.value), "interval": None, "by_cluster": {}})
        for one in probe.signals
    )
    return probe.model_copy(update={"signals": signals, "details": None})


def put(store: Store, tokens: int, keys: RunKeys = a_run.KEYS) -> None:
    """Write that report, as an evaluator would."""
    store.put(keys.report(tokens, ANNEAL), a_run.file_of(report(tokens)))
