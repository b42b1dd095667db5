from dataclasses import replace

import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import HALVES, by_source


def test_every_probe_has_both_halves_and_null_is_not_run():
    assert set(HALVES) == set(PROBES)
    asked = ProbesSpec.parse(
        {"retrievalHeads": {"enabled": False}, "bio": {"enabled": False}}, "probes"
    ).asked()
    ((source, readers),) = by_source(asked)
    assert [half.name for half in (source, *readers)] == ["niah", "niah"]


def test_a_probe_that_nobody_could_measure_is_refused(monkeypatch):
    asked = ProbesSpec.parse({"multiKey": {}}, "probes").asked()
    half = HALVES["multi_key"]
    monkeypatch.setitem(HALVES, "multi_key", replace(half, source=None))
    with pytest.raises(InvalidInput, match="multi_key: has no samples: give its TorchHalf a"):
        list(by_source(asked))
    monkeypatch.delitem(HALVES, "multi_key")
    with pytest.raises(InvalidInput, match="multi_key: has no half that reads a model"):
        list(by_source(asked))


@pytest.mark.parametrize("source", ["Niah", "Bio"])
def test_a_probe_reads_the_samples_that_its_settings_name(source):
    asked = ProbesSpec.parse({"retrievalHeads": {"source": source}}, "probes").asked()
    read = {half.name: [reader.name for reader in readers] for half, readers in by_source(asked)}
    own = {"niah": ["niah"], "bio": ["bio"]}
    own[source.lower()].append("retrieval_heads")
    assert read == own
