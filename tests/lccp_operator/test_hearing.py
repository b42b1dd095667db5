"""When others wrote, by whichever clock can be right."""

from datetime import timedelta

from operator_world import START

from lccp_operator.hearing import Hearing

SECOND = timedelta(seconds=1)


def test_a_possible_time_is_taken_as_it_is_told() -> None:
    hearing: Hearing[str] = Hearing()
    assert hearing.times({"a": START - SECOND}, START) == {"a": START - SECOND}
    assert hearing.times({"a": START + SECOND}, START + 2 * SECOND) == {"a": START + SECOND}


def test_an_impossible_time_is_that_of_the_look_which_found_it() -> None:
    hearing: Hearing[str] = Hearing()
    ahead, behind = START + 60 * SECOND, START - 60 * SECOND

    assert hearing.times({"a": ahead}, START) == {"a": START}
    assert hearing.times({"a": ahead}, START + SECOND) == {"a": START}
    assert hearing.times({"a": behind}, START + 2 * SECOND) == {"a": START + 2 * SECOND}
    assert hearing.times({"a": behind}, START + 3 * SECOND) == {"a": START + 2 * SECOND}
    assert hearing.times({}, START + 4 * SECOND) == {}
