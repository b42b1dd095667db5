"""Conditions as the exporter keeps them: the same, in less memory."""

import a_run

from lccp_exporter.said import all_said


def test_a_condition_comes_back_as_it_was_told() -> None:
    told = a_run.said()

    assert tuple(said.condition for said in all_said(told)) == told.conditions
