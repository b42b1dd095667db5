"""`conditions.json`: conditions of a run are read back as they were written."""

from datetime import timedelta

import a_run

from lccp.api.objects.conditions import RunConditions


def test_they_come_back_as_they_were_written() -> None:
    said = a_run.said()

    assert RunConditions.from_json(said.to_json(), "conditions.json").document() == said.document()


def test_equal_sentences_have_one_digest_whenever_they_were_said() -> None:
    said, later = a_run.said(), a_run.said(a_run.START + timedelta(hours=1))
    other = RunConditions(conditions=said.conditions[1:])

    assert said.digest == later.digest != other.digest
    assert RunConditions.from_json(said.to_json(), "conditions.json").digest == said.digest
