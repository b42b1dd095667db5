"""What the trainers reported: where the time went, steps that stood out, routers of experts."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.losses import HeldOutLoss, PositionBand
from lccp.api.objects.training import Ledger, RouterRecord, Spike, StepRecord
from lccp.facts.facts import Told
from lccp.facts.ledgers import account_of
from lccp.report.text import duration_text, tokens_text

BANDS = ("first half", "second half")
"""Parts of the context: the position bands of a router's record."""
HELD_OUT_BANDS: dict[PositionBand, str] = {
    "within": "within the source context",
    "beyond": "beyond it",
}
SIGNALS = {"Loss": "loss", "GradientNorm": "gradient norm"}
ACTIONS = {
    "Recorded": "it was trained on",
    "Skipped": "its batch was left out",
    "Rewound": "training went back to the newest state",
}


def accelerator_seconds(told: Iterable[Told]) -> float | None:
    """Accelerators x wall time over all writers that report how many they had; None: none does."""
    known = [
        one.heartbeat.accelerators * account[0].total
        for one in told
        if one.heartbeat is not None and one.heartbeat.accelerators is not None
        if (account := account_of(one)) is not None
    ]
    return float(sum(known)) if known else None


def spikes_total(told: Iterable[Told]) -> int:
    """Steps that stood out, over all writers."""
    return sum(one.heartbeat.spikes_total for one in told if one.heartbeat is not None)


def activities(ledger: Ledger) -> Iterator[tuple[str, float, float]]:
    """Activities that took time, their seconds, and their shares of the whole."""
    for name, seconds in ledger.model_dump().items():
        if seconds:
            yield name.replace("_", " "), seconds, seconds / ledger.total


def attempt_time(attempt: AttemptRecord) -> str:
    """Where the time of an ended attempt went; empty if it is not known."""
    parts = activities(Ledger.parse_stored(attempt.seconds, f"attempt {attempt.number}"))
    return ", ".join(f"{name} {duration_text(seconds)}" for name, seconds, _ in parts)


def router_bands(router: RouterRecord) -> Iterator[tuple[str, float, float]]:
    """By band: the lowest entropy of a layer, nats, and the largest share of an expert."""
    for band, entropy, share in zip(BANDS, router.entropy, router.busiest_share, strict=False):
        if entropy and share:
            yield band, min(entropy), max(share)


def source_losses(history: Sequence[StepRecord]) -> Iterator[tuple[str, float, float]]:
    """By source: its mean loss over the first and over the last tenth of the lines that have it."""
    for name in dict.fromkeys(name for line in history for name in line.loss_by_source):
        told = [line.loss_by_source[name] for line in history if name in line.loss_by_source]
        tenth = -(-len(told) // 10)
        yield name, fmean(told[:tenth]), fmean(told[-tenth:])


def held_out_bands(
    first: HeldOutLoss, last: HeldOutLoss
) -> Iterator[tuple[str, str, float | None, float]]:
    """By source and band of the last: the loss at the first, if it is there, and at the last."""
    before = {(cell.source, cell.band): cell.loss for cell in first.cells}
    for cell in last.cells:
        positions = HELD_OUT_BANDS[cell.band]
        yield cell.source, positions, before.get((cell.source, cell.band)), cell.loss


def spike_sentence(spike: Spike) -> str:
    """What stood out, and the reaction to it."""
    return (
        f"Step {spike.step:,} ({tokens_text(spike.tokens)} tokens): the {SIGNALS[spike.signal]} "
        f"was {spike.value:.3g}, the median before it {spike.median:.3g}; {ACTIONS[spike.action]}."
    )
