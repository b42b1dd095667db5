"""What the trainers told: where the time went, steps that stood out, routers of experts."""

from collections.abc import Iterator, Mapping

from lccp.api.objects.training import End, Heartbeat, Ledger, RouterRecord, Spike
from lccp.report.text import tokens_text

BANDS = ("first half", "second half")
"""Of the context: the position bands of a router's record."""
SIGNALS = {"Loss": "loss", "GradientNorm": "gradient norm"}
ACTIONS = {
    "Recorded": "it was trained on",
    "Skipped": "its batch was left out",
    "Rewound": "training went back to the newest state",
}


def ledgers(heartbeats: Mapping[int, Heartbeat], ends: Mapping[int, End]) -> dict[int, Ledger]:
    """By attempt, where its time went: by its end, or by its last heartbeat."""
    told = {attempt: beat.ledger for attempt, beat in heartbeats.items()}
    return told | {attempt: end.ledger for attempt, end in ends.items() if end.ledger.total}


def activities(ledger: Ledger) -> Iterator[tuple[str, float, float]]:
    """What was done, its seconds, and its share of the whole; without what took no time."""
    for name, seconds in ledger.model_dump().items():
        if seconds:
            yield name.replace("_", " "), seconds, seconds / ledger.total


def router_bands(router: RouterRecord) -> Iterator[tuple[str, float, float]]:
    """By band: the lowest entropy of a layer, nats, and the largest share of an expert."""
    for band, entropy, share in zip(BANDS, router.entropy, router.busiest_share, strict=False):
        if entropy and share:
            yield band, min(entropy), max(share)


def spike_sentence(spike: Spike) -> str:
    """What stood out, and what was done about it."""
    return (
        f"Step {spike.step:,} ({tokens_text(spike.tokens)} tokens): the {SIGNALS[spike.signal]} "
        f"was {spike.value:.3g}, the median before it {spike.median:.3g}; {ACTIONS[spike.action]}."
    )
