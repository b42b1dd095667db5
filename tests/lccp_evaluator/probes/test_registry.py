import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import HALVES, by_source


def test_every_probe_has_both_halves_and_null_is_not_run():
    assert set(HALVES) == set(PROBES)
    asked = ProbesSpec.parse(
        {"retrievalHeads": {"enabled": False}, "bio": {"enabled": False}}, "probes"
    ).asked()
    ((source, readers),) = by_source(asked)
    assert [half.name for half in (source, *readers)] == ["niah", "niah"]


@pytest.mark.parametrize("source", ["Niah", "Bio"])
def test_a_probe_reads_the_samples_that_its_settings_name(source):
    asked = ProbesSpec.parse({"retrievalHeads": {"source": source}}, "probes").asked()
    read = {half.name: [reader.name for reader in readers] for half, readers in by_source(asked)}
    own = {"niah": ["niah"], "bio": ["bio"]}
    own[source.lower()].append("retrieval_heads")
    assert read == own
