"""Alerts and their inhibition rules: `tools/generate.py` copies both files into the chart."""

from importlib.resources import files

ALERTS, INHIBITION = "alerts.yaml", "inhibition.yaml"
RUNBOOKS = "docs/runbooks/"
"""The start of every `runbook_url`: the runbooks' folder in the repository."""


def text(name: str) -> str:
    """The file `ALERTS` or `INHIBITION`."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
