"""Key tokens: which tokens are judged, with what context, and which are chosen."""

import numpy as np
import pytest
from sampled import frozen as frozen_samples
from tiny_checkpoints import a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.probes.long_ppl import LongPplSettings, resolved
from lccp.probes.probe import Contexts
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.sampling import keys
from lccp_evaluator.sampling.samples import FrozenSamples
from lccp_evaluator.sampling.tokenization import Tokenizer

GIVEN = LongPplSettings(texts=Documents(), documents=3, short_length=40, stride=15)
ASKED = resolved(GIVEN, Contexts(64, 128, 128))


@pytest.fixture(scope="module", params=["byte pairs", "pieces with BOS"])
def frozen(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> FrozenSamples:
    folder = tmp_path_factory.mktemp("tokenizer")
    a_tokenizer(request.param).save_pretrained(folder)
    return frozen_samples("long_ppl", ASKED, Tokenizer(folder))


def chosen(
    frozen: FrozenSamples, whole: float, short: float
) -> tuple[list[tuple[int, ...]], list[Passage]]:
    """The keys of a model with such NLLs of whole documents and windows, and all that it read."""
    turns = [keys.turns(frozen, sample, ASKED) for sample in frozen.samples]
    read = [
        [
            [_reading(one, nll) for one in passages]
            for passages, nll in zip(one, (whole, short), strict=True)
        ]
        for one in turns
    ]
    return keys.choose(read, ASKED), [one for pair in turns for part in pair for one in part]


def _reading(passage: Passage, nll: float) -> Reading:
    count = passage.answer[1] - passage.answer[0]
    return Reading(np.full(count, nll), np.ones(count, bool), np.zeros((0, 0, count), np.int16))


def test_every_token_is_judged_once_with_a_whole_and_once_with_a_short_context(
    frozen: FrozenSamples,
) -> None:
    found, seen = chosen(frozen, whole=0.0, short=9.0)

    assert found == [tuple(range(128 - 40))] * 3
    whole, windows = seen[0], seen[1:7]
    assert whole.answer == (40, 128)
    answers = [one.ids[slice(*one.answer)] for one in windows]
    assert np.concatenate(answers).tolist() == whole.ids[40:].tolist()
    assert [len(one.ids) for one in windows] == [40] * 5 + [38]
    assert {one.answer[0] for one in windows} == {25}
    before = len(whole.ids) - len(frozen.parts[frozen.samples[0].slices[-1][0]])
    assert all((one.ids[:before] == whole.ids[:before]).all() for one in windows)


def test_keys_are_gained_by_the_long_context_and_sure_with_it() -> None:
    whole = np.array([1.0, 1.0, 2.5])
    short = np.array([3.5, 2.5, 9.0])

    assert keys.is_key(whole, short, ASKED).tolist() == [True, False, False]


def test_a_model_without_use_of_long_contexts_is_refused(frozen: FrozenSamples) -> None:
    with pytest.raises(InvalidInput, match=r"longPpl: 0 of 3 documents .* \(keyModel\)"):
        chosen(frozen, whole=1.0, short=1.0)
