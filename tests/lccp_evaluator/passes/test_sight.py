"""Where heads look follows from the scores of all keys."""

import pytest
import torch
from torch import Tensor

from lccp_evaluator.model.attention import CausalMask, ScoreForm
from lccp_evaluator.passes import sight
from lccp_evaluator.passes.sight import Sight, look

HEADS, TOKENS, ROWS = 4, 30, range(20, 26)
SINKS = torch.tensor([0.5, -1.0, 2.0, 0.0])


def random(*sizes: int) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(len(sizes)))


QUERY, KEY = (
    random(HEADS, len(ROWS), 8),
    torch.randn(2, TOKENS, 8, generator=torch.Generator().manual_seed(9)),
)
PARTS = [(KEY[:, :11], KEY[:, :11]), (KEY[:, 11:], KEY[:, 11:])]
NEEDLE = (9, 14)


def weights(form: ScoreForm) -> Tensor:
    """Weights [H, M, N], from one softmax."""
    scores = QUERY @ KEY.repeat_interleave(2, dim=0).transpose(1, 2) * form.scaling
    if form.softcap:
        scores = torch.tanh(scores / form.softcap) * form.softcap
    rows = torch.tensor(ROWS)[:, None]
    scores = scores.masked_fill(~form.mask.allows(rows, torch.arange(TOKENS)), -torch.inf)
    if form.sinks is not None:
        scores = torch.cat((scores, form.sinks[:, None, None].expand(-1, len(ROWS), 1)), dim=-1)
    return scores.softmax(-1)[..., :TOKENS]


FORMS = {
    "plain": ScoreForm(0.4),
    "window": ScoreForm(0.4, CausalMask(15)),
    "soft-cap": ScoreForm(0.4, softcap=3.0),
    "sinks": ScoreForm(0.4, sinks=SINKS),
}


@pytest.mark.parametrize("at_once", [2**24, HEADS * TOKENS], ids=["one block", "many"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_it_is_that_of_all_weights(
    form: ScoreForm, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "BLOCK_SCORES", at_once)
    expected = weights(form)

    found = look(QUERY, PARTS, ROWS, NEEDLE, form)

    assert torch.equal(found.position, expected.argmax(-1))
    assert torch.allclose(found.mass, expected[..., slice(*NEEDLE)].sum(-1), atol=1e-6)


def test_a_needle_is_seen_as_a_whole_or_not() -> None:
    form = ScoreForm(0.4, CausalMask(13))

    found = look(QUERY, PARTS, ROWS, NEEDLE, form)

    assert found.sees.tolist() == [row - 13 < NEEDLE[0] for row in ROWS]
    assert bool((found.position > torch.tensor(ROWS) - 13).all())


def test_rows_are_joined_in_order() -> None:
    form = FORMS["plain"]
    parts = [look(QUERY[:, at : at + 3], PARTS, ROWS[at : at + 3], NEEDLE, form) for at in (0, 3)]
    whole, joined = look(QUERY, PARTS, ROWS, NEEDLE, form), Sight.join(parts)

    assert torch.equal(joined.position, whole.position)
    assert torch.allclose(joined.mass, whole.mass)
    assert torch.equal(joined.sees, whole.sees)
