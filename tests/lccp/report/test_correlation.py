"""Rows of tables of correlations."""

import pytest
from reports import declared

from lccp.analysis.correlation import Association, Correlation, Correlations
from lccp.report.correlation import HEADS, p_text, rows
from lccp.report.text import MISSING

PPL, SCORE = declared("niah_ppl"), declared("niah_score")
ONE = Association(
    n=12, pearson=0.5, interval=(-0.1, 0.83), spearman=0.4, p=0.0321, p_adjusted=0.00001
)


def a_row(differences: Association | None) -> dict[str, list[str]]:
    pair = Correlation(first=PPL, second=SCORE, levels=ONE, differences=differences)
    (row,) = rows(Correlations(pairs=(pair,)))
    assert len(row) == len(HEADS)
    return {"pair": row[:2], "levels": row[2:4], "differences": row[4:]}


def test_a_row_has_both_coefficients_with_an_interval_and_p() -> None:
    coefficients = ["+0.50 (-0.10 to +0.83)", "+0.40"]
    assert a_row(ONE) == {
        "pair": ["NIAH-PPL and NIAH score", "12"],
        "levels": coefficients,
        "differences": [*coefficients, "0.032", "< 0.0001"],
    }


def test_what_is_not_known_is_a_dash() -> None:
    assert a_row(None)["differences"] == [MISSING] * 4


@pytest.mark.parametrize(("p", "text"), [(1.0, "1"), (0.5, "0.5"), (0.0167, "0.017")])
def test_a_probability_has_two_digits(p: float, text: str) -> None:
    assert p_text(p) == text
