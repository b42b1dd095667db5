"""The value of a signal is a finite number, with the signal's declaration."""

import math
import re

import numpy as np
import pytest
from reports import declared

from lccp.contract.errors import InvalidInput
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured

SIGNAL = declared("niah_ppl")


def test_a_value_keeps_what_is_declared_and_its_clusters() -> None:
    found = measured(SIGNAL, 2.5, 12, {"haystack": np.array([2.0, 3.0])}, (2.0, 3.0))

    assert (found.name, found.title, found.band) == (SIGNAL.name, SIGNAL.title, SIGNAL.band)
    assert (found.value, found.n, found.interval) == (2.5, 12, (2.0, 3.0))
    assert found.by_cluster == {"haystack": (2.0, 3.0)}
    assert measured(SIGNAL, 2.5, 12).by_cluster == {}


@pytest.mark.parametrize(
    ("value", "cluster"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, -math.inf)]
)
def test_what_is_not_finite_is_refused_by_its_title(value: float, cluster: float) -> None:
    with pytest.raises(InvalidInput, match=rf"^{re.escape(SIGNAL.title)} is not a finite number"):
        measured(SIGNAL, value, 1, {"needle": np.array([cluster])})


def test_a_half_asks_for_nothing_unless_it_says_so() -> None:
    half = TorchHalf("any", lambda *_: Measurement([]))

    assert half.routes([], None) == set()
    assert not half.watches_heads
    assert half.source is None
