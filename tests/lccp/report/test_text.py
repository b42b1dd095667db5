import pytest

from lccp.report import text


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (0, "0"),
        (512, "512"),
        (409_600, "410 K"),
        (999_999, "1 M"),
        (1_433_600, "1.43 M"),
        (200_000_000_000, "200 B"),
        (10**15, "1000 T"),
    ],
)
def test_tokens_have_three_digits_and_a_unit(tokens: int, expected: str) -> None:
    assert text.tokens_text(tokens) == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [(320, "320"), (1_024, "1K"), (1_536, "1.5K"), (65_536, "64K"), (2**20, "1M"), (1_000, "1000")],
)
def test_lengths_are_binary(length: int, expected: str) -> None:
    assert text.length_text(length) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (0.000012, "0.012 ms"),
        (0.0123, "12 ms"),
        (0.0949, "95 ms"),
        (0.0951, "0.1 s"),
        (1.23, "1.2 s"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations_have_two_units(seconds: float, expected: str) -> None:
    assert text.duration_text(seconds) == expected


def test_other_numbers_read_well() -> None:
    assert text.scientific_text(4.03e23) == "4.0 × 10²³"
    assert text.percent_text(0.5625) == "56 %"
    assert text.bytes_text(3 * 2**29) == "1.5 GiB"
