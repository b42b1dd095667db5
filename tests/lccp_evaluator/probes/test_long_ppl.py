"""The definitions of `lccp.probes.long_ppl`, on handmade records."""

import math
from dataclasses import replace

import numpy as np
import pytest
from made_records import contexts, plain_records, signals

from lccp.probes.long_ppl import LongPplSettings
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.probes import long_ppl
from lccp_evaluator.records import Records

ASKED = LongPplSettings(texts=Documents(), length=5, short_length=2, stride=1)
NLL = [[1.0, 3.0, 8.0, 5.0], [2.0, 2.0, 6.0, 4.0], [9.0, 9.0, 9.0, 9.0]]
KEYS = [(0, 1), (0,), ()]


def records(keys: list[tuple[int, ...]]) -> Records:
    made = plain_records("long_ppl", NLL, [{"document": n} for n in range(len(NLL))])
    frozen = made.frozen.marked(keys, "the first")
    return replace(made, frozen=frozen, samples=frozen.samples)


def test_documents_weigh_alike_and_those_without_keys_do_not_count() -> None:
    found = signals(long_ppl.measure(records(KEYS), ASKED, contexts(3)))

    assert found["long_ppl"].value == pytest.approx(math.exp((2.0 + 2.0) / 2))
    assert found["long_ppl_other"].value == pytest.approx(math.exp((6.5 + 4.0) / 2))
    assert found["long_ppl"].n == 2
    assert found["long_ppl"].by_cluster["document"] == pytest.approx((math.exp(2), math.exp(2)))


def test_where_all_tokens_are_keys_there_are_no_others() -> None:
    found = signals(long_ppl.measure(records([(0, 1, 2, 3), (0, 1, 2, 3), ()]), ASKED, contexts(3)))

    assert set(found) == {"long_ppl"}


def test_it_is_said_how_many_tokens_were_chosen_and_by_what() -> None:
    (note,) = long_ppl.measure(records(KEYS), ASKED, contexts(3)).notes

    assert "3 of 12 judged tokens, in 2 of 3 documents, are keys, chosen by the first" in note


def test_keys_are_averaged_by_position() -> None:
    details = long_ppl.measure(records(KEYS), ASKED, contexts(3)).details

    assert details["positions"].tolist() == [1, 2]
    np.testing.assert_allclose(np.log(details["ppl_by_position"]), [1.5, 3.0])
