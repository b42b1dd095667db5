"""What was measured at the end of a branch, told apart from what the run's checkpoints show."""

from lccp.api.labels import INTRINSIC, signal_of_suite
from lccp.api.objects.report import EvaluationReport, ProbeReport, SignalValue
from lccp.contract.signals import Role

TITLE_LENGTH_MAX = 63


def of_suite(report: EvaluationReport, suite: str) -> EvaluationReport:
    """The report as one of `suite`: but for the probes' own, its signals carry the suite's name.

    They are shown, and no verdict rests on them. A name has one slash: one of its own is a dot.
    """
    if suite == INTRINSIC:
        return report
    probes = {name: _probe(probe, suite) for name, probe in report.probes.items()}
    return report.model_copy(update={"suite": suite, "probes": probes})


def _probe(probe: ProbeReport, suite: str) -> ProbeReport:
    signals = tuple(_signal(signal, suite) for signal in probe.signals)
    return probe.model_copy(update={"signals": signals})


def _signal(signal: SignalValue, suite: str) -> SignalValue:
    own = {
        "name": signal_of_suite(suite, signal.name),
        "title": f"{suite}: {signal.title}"[:TITLE_LENGTH_MAX],
        "role": Role.SHOWN,
    }
    return SignalValue.model_validate(signal.model_dump() | own)
