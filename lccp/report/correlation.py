"""Correlations between signals as the text and columns of tables."""

from lccp.analysis.correlation import Association, Correlation, Correlations
from lccp.report.text import MISSING

HEADS = (
    "signals",
    "checkpoints",
    "Pearson (95 %)",
    "Spearman",
    "differences: Pearson (95 %)",
    "Spearman",
    "p",
    "p by Holm",
)
P_LEAST = 0.0001


def rows(found: Correlations) -> list[list[str]]:
    """A row of `HEADS` for each pair. The p of levels is left out: tokens move both signals."""
    return [_row(pair) for pair in found.pairs]


def _row(pair: Correlation) -> list[str]:
    moved = pair.differences
    p = [MISSING, MISSING] if moved is None else [p_text(moved.p), p_text(moved.p_adjusted)]
    return [
        f"{pair.first.title} and {pair.second.title}",
        str(pair.levels.n),
        *_coefficients(pair.levels),
        *_coefficients(moved),
        *p,
    ]


def _coefficients(one: Association | None) -> list[str]:
    if one is None:
        return [MISSING, MISSING]
    lower, upper = one.interval
    return [f"{one.pearson:+.2f} ({lower:+.2f} to {upper:+.2f})", f"{one.spearman:+.2f}"]


def p_text(p: float) -> str:
    """A probability with two digits, or a bound if it is tiny."""
    return f"< {P_LEAST}" if p < P_LEAST else f"{p:.2g}"
