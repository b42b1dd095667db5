"""Metrics that a trainer reports of itself: use of time, routers, spikes, memory."""

from lccp.api.objects.training import Ledger
from lccp.report.training import BANDS, router_bands
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, of_heartbeat, one, padded

SOURCES_MAX = 12
CELLS_MAX = SOURCES_MAX
BANDS_MAX = 8
POSITION_DIGITS = 8


def _wall_time(facts: ExportedFacts) -> Samples:
    if not facts.ledger.total:
        return []
    return [((name,), seconds) for name, seconds in facts.ledger.model_dump().items()]


def _entropy(facts: ExportedFacts) -> Samples:
    return [((band,), entropy) for band, entropy, _ in _bands(facts)]


def _busiest(facts: ExportedFacts) -> Samples:
    return [((band,), share) for band, _, share in _bands(facts)]


def _source_losses(facts: ExportedFacts) -> Samples:
    told = facts.heartbeat.loss_by_source if facts.heartbeat else {}
    return [((name,), told[name]) for name in list(told)[:SOURCES_MAX]]


def _held_out(facts: ExportedFacts) -> Samples:
    told = facts.heartbeat.held_out if facts.heartbeat else None
    return [((c.source, c.band), c.loss) for c in told.cells[:CELLS_MAX]] if told else []


def _position_shares(facts: ExportedFacts) -> Samples:
    told = facts.heartbeat.position_shares if facts.heartbeat else ()
    return [((padded(one.start, POSITION_DIGITS),), one.share) for one in told[:BANDS_MAX]]


def _bands(facts: ExportedFacts) -> list[tuple[str, float, float]]:
    router = facts.heartbeat.router if facts.heartbeat else None
    return list(router_bands(router)) if router else []


INSIGHT = (
    RunMetric(
        "lccp_goodput_ratio",
        "Share of the wall time of all attempts that was productive, 0 to 1, excluding time in a "
        "queue.",
        one(lambda facts: facts.ledger.goodput),
    ),
    RunMetric(
        "lccp_wall_time_seconds",
        "Wall time of all attempts by activity; the sum is all of it.",
        _wall_time,
        ("activity",),
        most=len(Ledger.model_fields),
    ),
    RunMetric(
        "lccp_training_spikes_total",
        "Steps of all attempts whose loss or gradient norm was an outlier.",
        one(lambda facts: float(facts.spikes_total)),
        kind="counter",
    ),
    RunMetric(
        "lccp_router_entropy_nats",
        "Lowest mean entropy of a layer's router, at the last logged step, by half of the context; "
        "absent without experts.",
        _entropy,
        ("band",),
        most=len(BANDS),
    ),
    RunMetric(
        "lccp_router_busiest_share",
        "Largest share of a layer's tokens that chose one expert, 0 to 1, at the last logged step, "
        "by half of the context; absent without experts.",
        _busiest,
        ("band",),
        most=len(BANDS),
    ),
    RunMetric(
        "lccp_router_experts",
        "Experts of a layer that tokens are routed to; absent without experts.",
        of_heartbeat(lambda b: b.router.experts if b.router else None),
    ),
    RunMetric(
        "lccp_router_even_share",
        "Share of a layer's tokens that each expert has under an even load, 0 to 1: experts per "
        "token, divided by all experts.",
        of_heartbeat(lambda b: b.router.even_share if b.router else None),
    ),
    RunMetric(
        "lccp_source_loss_nats",
        "Mean NLL per predicted token of each source, over the steps between the last two logged "
        f"ones, with the last; of the first {SOURCES_MAX} sources, the JSON API has all.",
        _source_losses,
        ("source",),
        most=SOURCES_MAX,
    ),
    RunMetric(
        "lccp_held_out_loss_nats",
        "Mean NLL per predicted token of documents that no step trains on, at the newest "
        "checkpoint, by source, and by positions within the source model's context and beyond it.",
        _held_out,
        ("source", "band"),
        most=CELLS_MAX,
    ),
    RunMetric(
        "lccp_held_out_checkpoint_tokens",
        "Tokens of the checkpoint at which the loss on held-out documents was measured.",
        of_heartbeat(lambda b: b.held_out.tokens if b.held_out else None),
    ),
    RunMetric(
        "lccp_position_share",
        "Share of the predicted tokens, between the last two logged steps, whose positions in "
        "their documents are from `start` up to the next `start`, 0 to 1: the source model's "
        "context, and its doublings.",
        _position_shares,
        ("start",),
        most=BANDS_MAX,
    ),
    RunMetric(
        "lccp_source_epochs_max",
        "Number of times that the most repeated source has been trained on so far.",
        of_heartbeat(lambda b: max(b.epochs.values(), default=None)),
    ),
    RunMetric(
        "lccp_peak_memory_bytes",
        "Peak memory of rank 0: on its accelerator, or of its process without one.",
        of_heartbeat(lambda b: b.peak_memory_bytes),
    ),
    RunMetric(
        "lccp_last_save_seconds",
        "Time for which the last save paused the training.",
        of_heartbeat(lambda b: b.last_save_seconds),
    ),
)
