import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.errors import InvalidInput
from lccp.probes.probe import Contexts
from lccp.probes.settings.context_lengths import SHORTEST, grid, resolved

K = 1_024


def test_up_to_a_quarter_lengths_double_then_they_rise_evenly():
    assert grid(64 * K, 8) == tuple(n * K for n in (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64))
    assert grid(64 * K, 4) == tuple(n * K for n in (1, 2, 4, 8, 16, 32, 48, 64))
    assert grid(K, 8) == (256, 384, 512, 640, 768, 896, 1_024)


@given(st.integers(1, 2**27), st.sampled_from((4, 8, 16)))
def test_a_grid_ends_with_its_target_and_holds_nothing_too_short(target, parts):
    lengths = grid(target, parts)

    assert lengths[-1] == target
    assert list(lengths) == sorted(set(lengths))
    assert all(SHORTEST <= length < target for length in lengths[:-1])


def test_lengths_are_sorted_and_the_default_serves_where_none_are_given():
    contexts = Contexts(256, 512, 512)

    assert resolved((512, 300), (1,), contexts, "niah.lengths") == (300, 512)
    assert resolved((), (64, 128), contexts, "niah.lengths") == (64, 128)


@pytest.mark.parametrize(
    ("contexts", "sentence"),
    [
        (Contexts(256, 512, 2_048), r"niah.lengths exceeds model.targetContextLength \(1,024"),
        (Contexts(256, 2_048, 512), r"niah.lengths: 1024 exceeds the 512 tokens of the check"),
    ],
)
def test_a_length_beyond_a_context_is_refused(contexts, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        resolved((1_024,), (), contexts, "niah.lengths")
