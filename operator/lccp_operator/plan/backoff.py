"""The wait after a failure: it doubles with each, up to the longest that the policy allows."""

from datetime import datetime, timedelta

from lccp.api.spec.saturation import RestartPolicy


def seconds_left(policy: RestartPolicy, failures: int, failed_at: datetime, now: datetime) -> float:
    """Seconds from `now` to the end of the wait after so many failures, the last `failed_at`."""
    wait = min(policy.max_backoff_seconds, policy.backoff_seconds * 2 ** (failures - 1))
    return (failed_at + timedelta(seconds=wait) - now).total_seconds()
