"""The readings of samples, as arrays."""

import numpy as np
import pytest
from made_records import NEEDLES, plain_records, records

from lccp.contract.errors import InvalidInput
from lccp_evaluator.records import Records, mean_by


def some() -> Records:
    labels = [{"n": n, "even": n % 2 == 0} for n in range(3)]
    return plain_records("p", [[1.0, 3.0], [5.0], [2.0]], labels, ["full", "none", "full"])


def test_samples_are_chosen_by_role_and_by_label() -> None:
    records = some()

    assert records.of("full").label("n").tolist() == [0, 2]
    assert records.of("none").nll.tolist() == [5.0]
    assert records.where(records.label("n") > 0).label("n").tolist() == [1, 2]
    assert records.of("other").samples == []


def test_a_label_that_no_sample_has_is_refused_with_those_that_they_have() -> None:
    with pytest.raises(InvalidInput, match="samples of p have no label 'depth': take one of n, ev"):
        some().label("depth")


def test_the_likelihood_of_an_answer_is_its_tokens_mean() -> None:
    assert some().nll.tolist() == [2.0, 5.0, 2.0]
    assert some().length.tolist() == [3, 2, 2]


def test_columns_tell_samples_apart() -> None:
    columns = some().columns()

    assert list(columns) == ["length", "n", "even"]
    assert columns["n"].tolist() == [0, 1, 2]


def test_the_key_alone_decides_whether_it_was_found() -> None:
    grid = records()
    found = grid.of("full").key_is_arg_max
    haystack = grid.of("full").label("haystack")

    assert found[haystack == 0].all()
    assert not found[haystack == 1].any()


def test_a_needle_is_its_tokens_in_the_sample() -> None:
    grid = records()

    assert [grid.needle_ids(number).tolist() for number in range(2)] == [
        needle.tolist() for needle in NEEDLES
    ]
    assert grid.seed == 0


def test_means_come_in_the_order_of_the_groups() -> None:
    groups, values = np.array([2, 0, 2]), np.array([[1.0, 2.0], [5.0, 6.0], [3.0, 4.0]])

    np.testing.assert_array_equal(mean_by(groups, values), [[5.0, 6.0], [2.0, 3.0]])
    np.testing.assert_array_equal(mean_by(groups, values[:, 0]), [5.0, 2.0])
