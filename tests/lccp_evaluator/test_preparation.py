"""Samples that are asked for, and what their readers need of them."""

import made_records
import pytest

from lccp.api.spec.probes import ProbesSpec
from lccp.probes.routing import BANDS, RoutingSettings
from lccp_evaluator.preparation import Asked
from lccp_evaluator.probes import HALVES
from lccp_evaluator.probes.measurement import TorchHalf

FROZEN = made_records.records().frozen
SETTINGS = {"niah": made_records.NIAH, "routing": RoutingSettings()} | ProbesSpec().asked()


def asked(*names: str) -> Asked:
    readers: list[TorchHalf] = [HALVES[name] for name in names]
    return Asked(FROZEN, readers, {name: SETTINGS[name] for name in names})


@pytest.mark.parametrize(
    ("names", "watches"), [(("niah",), False), (("niah", "retrieval_heads"), True)]
)
def test_heads_are_watched_where_a_reader_asks_for_them(
    names: tuple[str, ...], watches: bool
) -> None:
    assert asked(*names).watches_heads == watches


def test_experts_are_asked_of_the_longest_prompts_alone() -> None:
    plain, routing = asked("niah"), asked("niah", "routing")

    assert plain.routed == set()
    longest = max(sample.length for sample in FROZEN.samples)
    assert {FROZEN.samples[n].length for n in routing.routed} == {longest}
    numbers = list(range(len(FROZEN.samples)))
    bands = [passage.bands for passage in routing.passages(numbers)]
    assert bands == [BANDS if n in routing.routed else 0 for n in numbers]
