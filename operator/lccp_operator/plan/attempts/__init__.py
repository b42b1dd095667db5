"""Attempts of the training gang: one at a time, each ended before the next begins.

The journal is brought up to date first (`settled`, `steered`); the intents then make the workloads
match the journal. So the next reconcile repairs a crash between the two.
"""

from lccp_operator.plan.attempts.gangs import (
    beat,
    drain_seconds_left,
    gathering_seconds_left,
    old_gang_lives,
    stay_seconds_left,
)
from lccp_operator.plan.attempts.records import settled, steered
from lccp_operator.plan.attempts.silence import problems, silence_seconds_left
from lccp_operator.plan.attempts.trainers import intents
from lccp_operator.plan.attempts.waits import (
    backoff_seconds_left,
    still_heard_seconds_left,
    unbegun,
    why_it_waits,
)

__all__ = [
    "backoff_seconds_left",
    "beat",
    "drain_seconds_left",
    "gathering_seconds_left",
    "intents",
    "old_gang_lives",
    "problems",
    "settled",
    "silence_seconds_left",
    "stay_seconds_left",
    "steered",
    "still_heard_seconds_left",
    "unbegun",
    "why_it_waits",
]
