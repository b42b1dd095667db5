"""The definitions of `lccp.probes.corpus_ppl`, on handmade records."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_records import contexts, plain_records, signals

from lccp.probes.corpus_ppl import Corpus, CorpusPplSettings
from lccp_evaluator.probes import corpus_ppl
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.corpora import GUARD, SHORT, WHOLE

ASKED = CorpusPplSettings(
    corpora=(Corpus(name="english"), Corpus(name="code")),
    length=5,
    guard_length=3,
    short_length=2,
    documents=2,
    tail_tokens=1,
    bands=2,
)
WHOLE_NLL = [[1.0, 1.0, 2.0, 4.0], [2.0, 2.0, 2.0, 6.0], [1.0, 1.0, 1.0, 1.0], [3.0, 3.0, 3.0, 3.0]]
"""Of two documents of each corpus."""


def records(*roles: str) -> Records:
    """The documents in each of `roles`; all but the whole one have only their first tokens."""
    tokens = {WHOLE: 4, GUARD: 2, SHORT: 1}
    nll = [one[: tokens[role]] for role in roles for one in WHOLE_NLL]
    labels = [{"corpus": n // 2, "document": n} for _ in roles for n in range(4)]
    made = plain_records("corpus_ppl", nll, labels, [role for role in roles for _ in range(4)])
    names = {"corpus": ("english", "code"), "document": ("a", "b", "c", "d")}
    header = made.frozen.header.model_copy(update={"names": names})
    return replace(made, frozen=replace(made.frozen, header=header))


def found(*roles: str) -> dict[str, Any]:
    return signals(corpus_ppl.measure(records(*roles), ASKED, contexts(3)))


def test_documents_of_a_corpus_weigh_alike() -> None:
    values = found(WHOLE, GUARD, SHORT)

    assert values["corpus_ppl/english"].value == pytest.approx(math.exp((2.0 + 3.0) / 2))
    assert values["corpus_ppl/code"].value == pytest.approx(math.exp(2.0))
    assert values["corpus_ppl_guard/english"].value == pytest.approx(math.exp(1.5))
    assert values["corpus_ppl_short/code"].value == pytest.approx(math.exp(2.0))
    assert values["corpus_ppl/english"].by_cluster["document"] == pytest.approx(
        (math.exp(2.0), math.exp(3.0))
    )


def test_the_tail_is_the_last_tokens_of_whole_documents() -> None:
    assert found(WHOLE)["corpus_tail_ppl/english"].value == pytest.approx(math.exp(5.0))


def test_a_part_that_was_not_drawn_is_absent() -> None:
    assert {name.partition("/")[0] for name in found(WHOLE)} == {"corpus_ppl", "corpus_tail_ppl"}


def test_positions_are_averaged_by_band_within_a_corpus_and_then_over_corpora() -> None:
    details = corpus_ppl.measure(records(WHOLE), ASKED, contexts(3)).details

    assert details["positions"].tolist() == [0, 2]
    english, code = np.log(details["ppl"])
    np.testing.assert_allclose(english, [1.5, (7 / 3 + 10 / 3) / 2])
    np.testing.assert_allclose(code, [2.0, 2.0])
    np.testing.assert_allclose(np.log(details["ppl_by_position"]), (english + code) / 2)


def test_a_document_is_told_by_the_hash_of_its_text() -> None:
    measured = corpus_ppl.measure(records(WHOLE), ASKED, contexts(3))

    assert measured.documents == {"english": ["a", "b"], "code": ["c", "d"]}
    assert measured.samples["tail_nll"].tolist() == [4.0, 6.0, 1.0, 3.0]
