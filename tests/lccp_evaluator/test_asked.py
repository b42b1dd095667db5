"""What is read from samples follows from their readers."""

import made_records

from lccp.probes.generation import GenerationSettings
from lccp_evaluator.asked import Asked
from lccp_evaluator.probes import HALVES

FROZEN = made_records.records().frozen


def test_the_model_answers_the_samples_that_a_reader_asks_for() -> None:
    settings = {"niah": made_records.NIAH, "generation": GenerationSettings(samples=3, further=1)}
    silent = Asked(FROZEN, [HALVES["niah"]], settings)
    asked = Asked(FROZEN, [HALVES["niah"], HALVES["generation"]], settings)
    numbers = list(range(len(FROZEN.samples)))

    assert silent.answered == {}
    assert len(asked.answered) == 3
    assert [one.say for one in silent.passages(numbers)] == [0] * len(numbers)
    said = {number: one.say for number, one in enumerate(asked.passages(numbers)) if one.say}
    assert said == asked.answered
