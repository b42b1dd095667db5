"""What the exporter keeps of a report."""

import a_run

from lccp_exporter.measured import Measured


def test_a_report_is_kept_as_its_values_and_what_lies_beside_it() -> None:
    report = a_run.report(a_run.CHECKPOINTS[2])
    kept = Measured.of(report)

    assert (kept.tokens, kept.suite, kept.seconds) == (report.tokens, "intrinsic", 7.5)
    assert list(kept.values) == [signal.value for signal in report.signals()]
    assert kept.signals[0] == ("niah_ppl", "extension")
    assert {probe: (one.name, one.sha256, one.settings) for probe, one in kept.details.items()} == {
        probe: (part.details.name, part.details.sha256, part.settings)
        for probe, part in report.probes.items()
        if part.details is not None
    }
    assert set(kept.details) == set(report.probes)
