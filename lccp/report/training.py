"""What the trainers reported: where the time went, steps that stood out, routers of experts."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from statistics import fmean

from lccp.api.objects.journal import AttemptRecord
from lccp.api.objects.losses import HeldOutLoss, PositionBand
from lccp.api.objects.training import Ledger, RouterRecord, Spike, StepRecord
from lccp.facts.facts import Told
from lccp.report.text import tokens_text

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


def ledgers(told: Iterable[Told], attempts: Iterable[AttemptRecord]) -> dict[int, Ledger]:
    """By attempt, where its time went, over all its writers, which come in order.

    A writer's ledger begins with its first process. Before that the attempt was queued: since it
    was decided, or since the previous writer ended.
    """
    since = {attempt.number: attempt.started_at for attempt in attempts}
    found: dict[int, Ledger] = {}
    for one in told:
        account = _account(one)
        if account is None:
            continue
        ledger, until = account
        begun = until.timestamp() - ledger.total
        decided = since.get(one.attempt)
        queued = max(0.0, begun - decided.timestamp()) if decided else 0.0
        own = ledger.model_copy(update={"queued": queued})
        found[one.attempt] = Ledger.of_all([found.get(one.attempt, Ledger()), own])
        since[one.attempt] = until
    return found


def _account(told: Told) -> tuple[Ledger, datetime] | None:
    """A writer's ledger and when it was closed: by its end, or by its last heartbeat."""
    if told.end is not None and told.end.ledger.total:
        return told.end.ledger, told.end.at
    return (told.heartbeat.ledger, told.heartbeat.at) if told.heartbeat else None


def accelerator_seconds(told: Iterable[Told]) -> float | None:
    """Accelerators x wall time over all writers that report how many they had; None: none does."""
    known = [
        one.heartbeat.accelerators * account[0].total
        for one in told
        if one.heartbeat is not None and one.heartbeat.accelerators is not None
        if (account := _account(one)) is not None
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
