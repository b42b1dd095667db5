"""`conditions.json`: what was said of a run comes back as it was."""

import a_run

from lccp.api.objects.conditions import RunConditions


def test_they_come_back_as_they_were_written() -> None:
    said = a_run.said()

    assert RunConditions.from_json(said.to_json(), "conditions.json").document() == said.document()
