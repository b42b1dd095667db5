"""Reports as the operator keeps them: equal for a verdict, in a small fraction of the memory."""

import gc
import tracemalloc

import a_run
import pytest

from lccp.analysis.verdict import judge
from lccp.api.objects.report import EvaluationReport
from lccp_operator.compact import CompactReport
from lccp_operator.judgement import inputs_of

REPORTS = a_run.reports()


def test_it_is_the_report_but_for_what_differs_between_equal_measurements() -> None:
    for report in REPORTS:
        again = CompactReport.of(report).report()
        assert list(again.signals()) == list(report.signals())
        assert (again.tokens, again.step, again.suite) == (report.tokens, report.step, report.suite)
        assert again.checkpoint_digest == report.checkpoint_digest
        assert again.target_context_length == report.target_context_length
        assert {n: p.settings for n, p in again.probes.items()} == {
            n: p.settings for n, p in report.probes.items()
        }


@pytest.mark.slow
def test_a_verdict_over_them_is_the_verdict_over_the_reports() -> None:
    compact = [CompactReport.of(report).report() for report in REPORTS]

    assert judge(compact, a_run.policy()) == judge(REPORTS, a_run.policy())


@pytest.mark.slow
def test_ten_thousand_of_them_fit_into_fifty_megabytes() -> None:
    """By the least of three measurements: other threads of the process may allocate as well."""
    assert min(traced_bytes(300) for _ in range(3)) / 300 < 5_000


def traced_bytes(number: int) -> int:
    """Of so many reports, compact."""
    texts = [report.to_json() for report in REPORTS]
    gc.collect()
    tracemalloc.start()
    kept = [
        CompactReport.of(EvaluationReport.from_json(texts[i % len(texts)], "report"))
        for i in range(number)
    ]
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(kept) == number
    return size


def changed_score(report: EvaluationReport) -> EvaluationReport:
    niah = report.probes["niah"]
    first, *rest = niah.signals
    update = {"signals": (first.model_copy(update={"value": first.value + 1e-9}), *rest)}
    return report.model_copy(
        update={"probes": report.probes | {"niah": niah.model_copy(update=update)}}
    )


def changed_settings(report: EvaluationReport) -> EvaluationReport:
    niah = report.probes["niah"]
    update = {"settings": niah.settings | {"seed": 1}}
    return report.model_copy(
        update={"probes": report.probes | {"niah": niah.model_copy(update=update)}}
    )


def changed_clusters(report: EvaluationReport) -> EvaluationReport:
    """The same numbers in the same order: the last haystack's counts as a needle's."""
    niah = report.probes["niah"]
    first, *rest = niah.signals
    *haystacks, moved = first.by_cluster["haystack"]
    clusters = {"haystack": tuple(haystacks), "needle": (moved, *first.by_cluster["needle"])}
    update = {"signals": (first.model_copy(update={"by_cluster": clusters}), *rest)}
    return report.model_copy(
        update={"probes": report.probes | {"niah": niah.model_copy(update=update)}}
    )


@pytest.mark.parametrize("change", [changed_score, changed_settings, changed_clusters])
def test_another_report_gives_another_verdict(change: object) -> None:
    assert callable(change)
    before = [CompactReport.of(report) for report in REPORTS]
    after = [*before[:-1], CompactReport.of(change(REPORTS[-1]))]
    policy = a_run.policy()

    assert inputs_of(before, policy) == inputs_of(list(before), policy)
    assert inputs_of(after, policy) != inputs_of(before, policy)
    assert inputs_of(before, policy.model_copy(update={"patience": 9})) != inputs_of(before, policy)


def test_only_what_a_verdict_reads_counts() -> None:
    timed = REPORTS[0].model_copy(update={"timings": {"measure": 99.0}})

    assert CompactReport.of(timed).digest == CompactReport.of(REPORTS[0]).digest
