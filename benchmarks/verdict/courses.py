"""The verdict on courses that are not straight lines, and how often the forecast holds.

Concave courses (is it ever Saturated while the next horizon still pays?), a plateau that turns to a
loss or a gain, a drift with one drop, and the forecast's interval. Gains are in units of the least
gain that pays (δ), tokens in horizons (T); each of eight haystacks and four needles deviates from
the curve in its own way.

    python benchmarks/verdict/courses.py [--runs 400]
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from tables import head, percent, row

from lccp.analysis.laws.loglaw import LogLaw
from lccp.analysis.laws.stopping import stopping, stops_paying
from lccp.analysis.rules.course import Course
from lccp.analysis.rules.grid import Array, Grid
from lccp.analysis.rules.measure import Measure
from lccp.analysis.simulation import FOLLOWS, NOISES, SCATTER, Jitter, SimulatedClusters, simulated


@dataclass(frozen=True)
class Shape:
    """A possible course of a run, in units of δ against horizons."""

    name: str
    curve: Callable[[Array], Array]


def _log_ppl(ppl: Callable[[Array], Array], delta: float = 0.01) -> Callable[[Array], Array]:
    return lambda at: -np.log(ppl(at)) / delta


CONCAVE = (
    Shape("exponential, τ = T / 2", _log_ppl(lambda at: 1.1 + 0.9 * np.exp(-2 * at))),
    Shape("exponential, τ = 2 T", _log_ppl(lambda at: 1.1 + 0.9 * np.exp(-at / 2))),
    Shape("power law", _log_ppl(lambda at: 1.0 + 0.4 * (0.1 + at) ** -0.7)),
    Shape("log law", _log_ppl(lambda at: 1.2 - 0.03 * np.log(at))),
)


def followed(
    at: Array,
    curve: Array,
    sigma: float,
    runs: int,
    seed: int,
    noise: str = "normal",
    share: float = 1.0,
) -> tuple[Array, dict[str, Array]]:
    """`runs` runs around a curve [K], from which eight haystacks and four needles deviate."""
    rng, unit = np.random.default_rng(seed), NOISES[noise]
    counts = {"Text": 8, "Question": 4}
    kinds = {name: SimulatedClusters(count, 0.0, SCATTER[name]) for name, count in counts.items()}
    jitter = Jitter(sigma, unit.shape, unit.memory)
    values, clusters = simulated(at, curve, jitter, kinds, runs, rng)
    for name, count in counts.items():
        spread = share * FOLLOWS[name] * rng.normal(size=(runs, count, 1))
        own = spread * (curve - curve[0])
        common = own.mean(axis=1)
        values = values + common
        clusters = {kind: of + common[:, None] for kind, of in clusters.items()}
        clusters[name] = clusters[name] + own - common[:, None]
    return values, clusters


def course_of(at: Array, curve: Array, sigma: float, runs: int, seed: int) -> Course:
    """Such runs, judged."""
    values, clusters = followed(at, curve, sigma, runs, seed)
    return Course.of(Grid(at), values, clusters, Measure(horizons=float(at[-1])))


def wrong_stops(runs: int) -> list[str]:
    """Runs on concave courses that are first Saturated while the next horizon still pays."""
    lines = head("course", "checkpoints a T", "σ", "stopped", "wrong", "median after pay ends")
    for shape, density, sigma in product(CONCAVE, (1, 2, 5, 10), (0.1, 0.3, 0.6)):
        at = np.arange(1, 16 * density + 1) / density
        saturated = standing(course_of(at, shape.curve(at), sigma, runs, seed=1))
        pays = shape.curve(at + 1) - shape.curve(at) >= 1
        end = at[~pays].min() if (~pays).any() else np.inf
        said = saturated.any(axis=1)
        first = saturated.argmax(axis=1)[said]
        delay = f"{np.median(at[first]) - end:.1f} T" if len(first) else "–"
        shown = (percent(said.mean()), percent(pays[first].mean(), 1) if len(first) else "–")
        lines.append(row(shape.name, density, sigma, *shown, delay))
    return lines


TURNS = {
    "a loss of 2 δ a T": -2.0,
    "a loss of 4 δ a T": -4.0,
    "a gain of 2 δ a T": 2.0,
    "a gain of 4 δ a T": 4.0,
}
TURN = 5.0


def turns(runs: int) -> list[str]:
    """A plateau of five horizons, then a loss to be reported, or a gain that ends Saturated."""
    lines = head("after a plateau", "checkpoints a T", "σ", "seen within 4 T", "median after")
    for (name, slope), density, sigma in product(TURNS.items(), (2, 5, 10), (0.1, 0.3, 0.6)):
        at = np.arange(1, 9 * density + 1) / density
        curve = np.where(at > TURN, slope * (at - TURN), 0.0)
        course = course_of(at, curve, sigma, runs, seed=2)
        held, later = standing(course), at > TURN
        seen = course.regressing if slope < 0 else ~held & held[:, ~later][:, -1:]
        told = seen[:, later].any(axis=1)
        asked = told if slope < 0 else told[held[:, ~later][:, -1]]
        after = at[later][seen[:, later].argmax(axis=1)][told] - TURN
        median = f"{np.median(after):.1f} T" if len(after) else "–"
        lines.append(row(name, density, sigma, percent(asked.mean()), median))
    return lines


def drops(runs: int) -> list[str]:
    """A drift that pays, with one drop that hides it: how often it is mistaken for a plateau."""
    lines = head("drift, a T", "one drop", "checkpoints a T", "σ", "Saturated")
    courses = product(((1.2, 2), (1.5, 3), (2, 4)), (5, 10), (0.1, 0.3, 0.6))
    for (gain, drop), density, sigma in courses:
        at = np.arange(1, 8 * density + 1) / density
        said = [
            standing(course_of(at, gain * at - drop * (at > place), sigma, runs // 13 + 1, seed))
            for seed, place in enumerate(np.linspace(1, 7, 13))
        ]
        share = np.concatenate(said).any(axis=1).mean()
        lines.append(row(f"{gain} δ", f"{drop} δ", density, sigma, percent(share, 1)))
    return lines


def standing(course: Course) -> np.ndarray:
    """[runs, K]: whether the runs are Saturated."""
    return course.saturated(np.ones(len(course.grid), dtype=np.bool_))


DELTA = 0.01
PPLS = {
    "log law": lambda at: 2 - 0.12 * np.log(at),
    "exponential, τ = 2 T": lambda at: 1.1 + 0.9 * np.exp(-at / 2),
    "power law": lambda at: 1 + 0.8 * at**-0.5,
}


def forecasts(runs: int) -> list[str]:
    """The forecast's 90 % interval over runs of eight horizons, δ = 0.01, σ = 0.3 δ."""
    lines = head("course", "noise", "clusters follow", "checkpoints", "said", "covers")
    ways = {"alike": 0.0, "each in its own way": 1.0}
    for law, noise, way, count in product(PPLS, ("normal", "t3", "AR .5"), ways, (8, 12, 20, 40)):
        at = np.linspace(8 / count, 8, count)
        log_ppl = np.log(PPLS[law](at))
        values, clusters = followed(at, log_ppl / DELTA, 0.3, runs, 4, noise, ways[way])
        scaled = {kind: DELTA * of for kind, of in clusters.items()}
        found = stopping(at, DELTA * values, scaled, DELTA, 0.95)
        covers = "–"
        if law == "log law":
            true = stops_paying(LogLaw.fit(at, np.exp(log_ppl)), DELTA)
            covers = percent((np.abs(found.log_at - true) <= found.half)[found.known].mean())
        lines.append(row(law, noise, way, count, percent(found.known.mean()), covers))
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400, help="runs a course")
    runs = parser.parse_args().runs
    sections = {
        "Concave courses": wrong_stops(runs),
        "Courses that turn": turns(runs),
        "A drop inside a drift": drops(runs),
        "Forecast": forecasts(runs),
    }
    for title, lines in sections.items():
        print(f"\n### {title}\n", *lines, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
