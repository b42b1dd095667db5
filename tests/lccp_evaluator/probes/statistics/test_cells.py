"""Means of samples by cell."""

import itertools
from typing import Any

import numpy as np
from made_records import plain_records

from lccp_evaluator.probes.statistics.cells import Cells, by_depth_and_length, by_sample

CELLS = Cells(np.array([0, 0, 50, 50, 50]), np.array([10, 10, 10, 20, 20]))


def test_cells_are_sorted_counted_and_averaged() -> None:
    means = CELLS.means(np.array([1.0, 3.0, 5.0, 7.0, 8.0]))

    assert (CELLS.rows.tolist(), CELLS.columns.tolist()) == ([0, 50], [10, 20])
    assert CELLS.samples.tolist() == [[2, 0], [1, 2]]
    np.testing.assert_array_equal(means, [[2.0, np.nan], [5.0, 7.5]])


def test_yes_and_no_are_shares() -> None:
    means = CELLS.means(np.array([True, False, True, True, False]))

    np.testing.assert_array_equal(means, [[0.5, np.nan], [1.0, 0.5]])


def details(source_context: int) -> dict[str, Any]:
    depth, length = np.array([0, 0, 50, 50]), np.array([10, 20, 10, 20])
    nll = np.array([1.0, 2.0, 3.0, 4.0])
    return by_depth_and_length(depth, length, nll, source_context, {"score": nll / 4})


def test_depths_are_averaged_over_the_lengths_of_each_band() -> None:
    found = details(source_context=10)

    assert found["nll"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    np.testing.assert_allclose(found["ppl"], np.exp(found["nll"]))
    assert found["score"].tolist() == [[0.25, 0.5], [0.75, 1.0]]
    np.testing.assert_allclose(found["ppl_by_depth"], np.exp([2.0, 4.0]))
    np.testing.assert_allclose(found["ppl_by_depth_guard"], np.exp([1.0, 3.0]))


def test_a_band_without_lengths_is_absent() -> None:
    assert "ppl_by_depth" not in details(source_context=20)
    assert "ppl_by_depth_guard" not in details(source_context=9)


def test_every_token_of_a_sample_is_found_by_its_offsets() -> None:
    records = plain_records("p", [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]], [{"n": n} for n in range(3)])

    found = by_sample(records, {"twice": records.nll * 2})

    assert found["n"].tolist() == [0, 1, 2]
    assert found["length"].tolist() == [3, 2, 4]
    assert found["nll"].tolist() == [1.5, 3.0, 5.0]
    assert found["twice"].tolist() == [3.0, 6.0, 10.0]
    offsets = found["token_offsets"]
    tokens = [found["token_nll"][a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert tokens == [[1.0, 2.0], [3.0], [4.0, 5.0, 6.0]]
    assert found["token_is_arg_max"].all()
