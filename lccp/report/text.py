"""Human-readable numbers: `1.43 M` tokens, `64K` of context, `1.2 × 10¹³`, `3 min 20 s`."""

from lccp.contract.signals import Scale

MISSING = "–"
DECIMAL_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"), (1.0, ""))
BINARY_UNITS = ((2**20, "M"), (2**10, "K"))
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def token_unit(tokens: float) -> tuple[float, str]:
    """The decimal unit that suits `tokens`: its size and letter (empty below a thousand)."""
    return next((u for u in DECIMAL_UNITS if abs(tokens) >= u[0]), DECIMAL_UNITS[-1])


def tokens_text(tokens: float) -> str:
    """A number of tokens with three digits: `1.43 M`, `410 K`, `200 B`."""
    rounded = float(f"{tokens:.3g}")
    size, letter = token_unit(rounded)
    value = rounded / size
    return f"{value:.0f} {letter}".rstrip() if value >= 100 else f"{value:.3g} {letter}".rstrip()


def length_text(length: int) -> str:
    """A context length in binary units where they are short (`64K`, `1.5K`), else unchanged."""
    for size, letter in BINARY_UNITS:
        if length >= size and (length * 4) % size == 0:
            return f"{length / size:g}{letter}"
    return str(length)


DIGITS = {"PPL": 4, "share": 3}
"""Decimals of a signal's value, by its unit."""


def value_text(value: float | None, unit: str) -> str:
    """A signal's value for people; a dash where there is none."""
    if value is None:
        return MISSING
    if unit in DIGITS:
        return f"{value:.{DIGITS[unit]}f}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.4g}"


def gain_text(gain: float, scale: Scale) -> str:
    """A gain on a signal's scale: in percent on a logarithmic one, else as a number."""
    return f"{100 * gain:+.1f} %" if scale is Scale.LOG else f"{gain:+.3f}"


def scientific_text(value: float) -> str:
    """A large number as `4.0 × 10²³`."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def duration_text(seconds: float) -> str:
    """A duration in its two largest units: `1.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.

    Below a tenth of a second in milliseconds: `1.2 ms`.
    """
    if 1e-6 <= seconds < 0.095:
        return f"{1_000 * seconds:.2g} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, hours, days = whole // 60, whole // 3_600, whole // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def percent_text(share: float) -> str:
    """A share as whole percent: `56 %`."""
    return f"{100 * share:.0f} %"


def bytes_text(size: float) -> str:
    """A size in binary units: `1.5 GiB`, `640 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1_024:
            return f"{size:.3g} {unit}"
        size /= 1_024
    return f"{size:,.3g} TiB" if size < 1_000 else f"{size:,.0f} TiB"
