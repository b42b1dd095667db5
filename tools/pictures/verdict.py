"""Pictures of a verdict's states, as SVG: the signals along a run, and the judged gain."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from xml.sax.saxutils import escape

from lccp.api.objects.verdict import CheckpointVerdict, Gain, Verdict
from lccp.report.figures.style import FONT, GUARD, PPL, SCORE
from lccp.report.states import STATE_COLOURS, STATE_WORDS, phases
from lccp.report.text import tokens_text
from pictures.runs import BUDGET, RUNS, SimulatedRun

WIDTH, HEIGHT, LEFT, RIGHT = 760, 380, 72, 736
INK = "#333b45"
NARROW_PIXELS = 60
"""Minimum width of a phase for its state to be written above it."""


@dataclass(frozen=True)
class Panel:
    """A vertical axis from `low` at `bottom` to `high` at `top`, in pixels."""

    top: float
    bottom: float
    low: float
    high: float

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return self.bottom - (inside - self.low) / (self.high - self.low) * self.height

    @property
    def height(self) -> float:
        return self.bottom - self.top


def x(tokens: float) -> float:
    return LEFT + tokens / BUDGET * (RIGHT - LEFT)


def picture(run: SimulatedRun) -> str:
    """The picture of a run."""
    verdict = run.verdict()
    ppls = [checkpoint.values["niah_ppl"] for checkpoint in verdict.checkpoints]
    margin = 0.08 * (max(ppls) - min(ppls))
    ppl = Panel(40, 170, min(ppls) - margin, max(ppls) + margin)
    score, gain = Panel(40, 170, 0.0, 1.06), Panel(200, 330, *_gain_range(verdict))
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff" rx="6"/>',
        *_phases(verdict),
        *_axis(ppl, "NIAH-PPL", f"{min(ppls):.2f}", f"{max(ppls):.2f}"),
        *_axis(gain, "gain per T", f"{100 * gain.low:+.0f} %", f"{100 * gain.high:+.0f} %"),
        *_course(verdict, ppl, "niah_ppl", PPL),
        *_course(verdict, score, "niah_score", SCORE),
        *_gains(verdict, gain),
        *_tokens(),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" font-family="{escape(FONT)}" font-size="12" role="img">'
    )
    return "\n".join([head, f"<title>{escape(STATE_WORDS[run.state])}</title>", *parts, "</svg>\n"])


def _gain_range(verdict: Verdict) -> tuple[float, float]:
    """The range of a gain's shown intervals, between ± 3 and ± 8 times `minGain`."""
    delta = verdict.policy.min_gain
    known = [gain for _, gain in _judged(verdict)]
    low, high = min(g.lower for g in known), max(g.upper for g in known)
    return -delta * min(8, max(3, -low / delta)), delta * min(8, max(3, high / delta))


def _judged(verdict: Verdict) -> list[tuple[CheckpointVerdict, Gain]]:
    found = [(c, c.gain(verdict.policy.signal)) for c in verdict.checkpoints]
    return [(checkpoint, gain) for checkpoint, gain in found if gain is not None]


def _phases(verdict: Verdict) -> Iterable[str]:
    for phase in phases(verdict.checkpoints):
        left, width = x(phase.start), x(phase.end) - x(phase.start)
        colour = STATE_COLOURS[phase.state]
        yield _box(left, 40, width, 290, colour, 0.16)
        if width >= NARROW_PIXELS:
            yield _text(left + width / 2, 31, STATE_WORDS[phase.state], "middle", colour)


def _axis(panel: Panel, title: str, low: str, high: str) -> Iterable[str]:
    middle = (panel.top + panel.bottom) / 2
    yield _line(LEFT, panel.top, LEFT, panel.bottom, INK)
    yield _line(LEFT, panel.bottom, RIGHT, panel.bottom, INK)
    yield _text(LEFT - 6, panel.bottom, low, "end")
    yield _text(LEFT - 6, panel.top + 10, high, "end")
    yield f'<g transform="rotate(-90 14 {middle})">{_text(14, middle, title, "middle")}</g>'


def _course(verdict: Verdict, panel: Panel, signal: str, colour: str) -> Iterable[str]:
    places = [(x(c.tokens), panel.y(c.values[signal])) for c in verdict.checkpoints]
    joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    yield f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
    yield from (_dot(a, b, colour, 2) for a, b in places)


def _gains(verdict: Verdict, panel: Panel) -> Iterable[str]:
    delta = verdict.policy.min_gain
    yield _box(LEFT, panel.y(delta), RIGHT - LEFT, panel.y(-delta) - panel.y(delta), GUARD, 0.3)
    yield _line(LEFT, panel.y(0), RIGHT, panel.y(0), GUARD)
    for checkpoint, gain in _judged(verdict):
        at = x(checkpoint.tokens)
        yield _line(at, panel.y(gain.lower), at, panel.y(gain.upper), PPL)
        yield _dot(at, panel.y(gain.gain), PPL, 2.5)


def _tokens() -> Iterable[str]:
    for share in range(5):
        tokens = BUDGET * share // 4
        yield _text(x(tokens), 346, tokens_text(tokens), "middle")
    yield _text(LEFT, 369, "● NIAH-PPL, and its gain over the last T = 25 B", "start", PPL)
    yield _text(LEFT + 300, 369, "● NIAH score, from 0 to 1", "start", SCORE)
    yield _text(LEFT + 470, 369, "■ gains within ± minGain", "start", GUARD)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def _box(left: float, top: float, width: float, height: float, colour: str, alpha: float) -> str:
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{alpha}"/>'
    )


def _dot(at: float, y: float, colour: str, radius: float) -> str:
    return f'<circle cx="{at:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>'


def _text(at: float, y: float, words: str, anchor: str, colour: str = INK) -> str:
    return (
        f'<text x="{at:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(words)}</text>"
    )


def _name(run: SimulatedRun) -> str:
    return STATE_WORDS[run.state].replace(" ", "-")


PICTURES: dict[str, Callable[[], str]] = {
    f"docs/images/verdict/{_name(run)}.svg": partial(picture, run) for run in RUNS
}
