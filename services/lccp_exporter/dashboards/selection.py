"""Which series a panel shows."""

from lccp.contract.signals import Signal
from lccp.probes.registry import PROBES
from lccp_exporter.facts import WATCHED_ROLES

OF_RUN = 'namespace="$namespace", run="$run"'


def of_run(metric: str, matchers: str = "") -> str:
    """The metric of the selected run."""
    return f"{metric}{{{OF_RUN}{', ' + matchers if matchers else ''}}}"


def by_unit(signals: list[Signal]) -> dict[str, list[Signal]]:
    """The signals of each unit, which can share an axis."""
    found: dict[str, list[Signal]] = {}
    for signal in signals:
        found.setdefault(signal.unit, []).append(signal)
    return found


def watched_by_default() -> list[Signal]:
    """Signals that have a series for each checkpoint, unless the policy says otherwise."""
    columns = {column.signal for column in PROBES.columns()}
    return [s for s in PROBES.signals() if s.role in WATCHED_ROLES or s.name in columns]


def any_of(signals: list[Signal]) -> str:
    """A matcher of their series."""
    return f'signal=~"{"|".join(signal.name for signal in signals)}"'
