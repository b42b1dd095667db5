from lccp.api.spec.probes import ProbesSpec
from lccp.probes.registry import PROBES
from lccp_evaluator.probes import HALVES, by_source


def test_every_probe_has_both_halves_and_null_is_not_run():
    assert set(HALVES) == set(PROBES)
    without = ProbesSpec.parse({"retrievalHeads": None}, "probes").asked()
    both = ProbesSpec.parse({}, "probes").asked()
    ((_, alone),) = by_source(without)
    ((source, readers),) = by_source(both)
    assert [half.name for half in alone] == ["niah"]
    assert source.name == "niah"
    assert [half.name for half in readers] == ["niah", "retrieval_heads"]
