"""Numbers of a manifest are read as they are written."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.contract.quantities import (
    BINARY,
    DECIMAL,
    LENGTH,
    LENGTH_MAX,
    TOKENS,
    TOKENS_MAX,
    Counted,
    Decimal,
    decimal_string,
    shortened,
)

COUNTED = st.sampled_from([LENGTH, TOKENS])


@pytest.mark.parametrize(
    ("written", "number"),
    [("64K", 65_536), ("1M", 1_048_576), ("99M", 103_809_024), (512, 512), ("512", 512)],
)
def test_lengths_count_in_powers_of_two(written: str | int, number: int) -> None:
    assert LENGTH.parse(written) == number


@pytest.mark.parametrize(
    ("written", "number"),
    [("16M", 16_000_000), ("200B", 200_000_000_000), ("1T", 10**12), ("4096", 4096)],
)
def test_token_counts_count_in_powers_of_ten(written: str, number: int) -> None:
    assert TOKENS.parse(written) == number


@given(COUNTED, st.text(alphabet="0123456789KMBTk.-+e ", max_size=18))
def test_a_text_is_a_number_within_bounds_or_is_refused(counted: Counted, text: str) -> None:
    with contextlib.suppress(ValueError):
        assert 1 <= counted.parse(text) <= counted.most


@given(st.integers(1, 99_999), st.sampled_from(["", *BINARY]))
def test_every_length_that_fits_is_taken(digits: int, unit: str) -> None:
    fits = digits <= {"": 99_999_999, "K": 99_999, "M": 99}[unit]
    if fits:
        assert LENGTH.parse(f"{digits}{unit}") == digits * BINARY.get(unit, 1) <= LENGTH_MAX
    else:
        with pytest.raises(ValueError, match="must be a length"):
            LENGTH.parse(f"{digits}{unit}")


@given(st.integers(1, 10**16), st.sampled_from(["", *DECIMAL]))
def test_every_token_count_that_fits_is_taken(digits: int, unit: str) -> None:
    number = digits * DECIMAL.get(unit, 1)
    if number <= TOKENS_MAX:
        assert TOKENS.parse(f"{digits}{unit}") == number
    else:
        with pytest.raises(ValueError, match="must be a number of tokens"):
            TOKENS.parse(f"{digits}{unit}")


@given(COUNTED, st.sampled_from([True, False, None, 1.5, [], {}, 0, -3, 2**60]))
def test_what_is_no_count_is_refused(counted: Counted, value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        counted.parse(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_comes_back_as_it_was_written(number: float) -> None:
    assert Decimal().parse(decimal_string(number)) == number


@given(st.floats(0, 1))
def test_bounds_hold(number: float) -> None:
    half_open = Decimal(ge=0, lt=1)
    if number < 1:
        assert half_open.parse(decimal_string(number)) == number
    else:
        with pytest.raises(ValueError, match=">= 0 and < 1"):
            half_open.parse(decimal_string(number))


@given(st.integers(0, TOKENS_MAX))
def test_a_shortened_count_is_short_and_near(tokens: int) -> None:
    text = shortened(tokens)
    assert len(text) <= 5
    unit = DECIMAL.get(text[-1], 1)
    near = float(text.rstrip("KMBT")) * unit
    assert math.isclose(near, tokens, rel_tol=0.005)
