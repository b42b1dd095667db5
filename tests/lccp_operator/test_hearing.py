"""What others write is dated, whatever the clocks of their nodes say."""

from datetime import timedelta

from operator_world import START

from lccp_operator.hearing import Heard, Hearing

SECOND = timedelta(seconds=1)


def test_a_possible_time_is_taken_as_it_is_told() -> None:
    hearing: Hearing[str] = Hearing()
    found = hearing.heard({"a": START - SECOND}, START)
    assert found == {"a": Heard(START - SECOND, START - SECOND, START)}

    found = hearing.heard({"a": START + SECOND}, START + 2 * SECOND)
    assert found == {"a": Heard(START + SECOND, START + SECOND, START + 2 * SECOND)}


def test_an_impossible_time_is_that_of_the_look_which_found_it() -> None:
    hearing: Hearing[str] = Hearing()
    ahead, behind = START + 60 * SECOND, START - 60 * SECOND

    assert hearing.heard({"a": ahead}, START) == {"a": Heard(ahead, START, START)}
    assert hearing.heard({"a": ahead}, START + SECOND) == {"a": Heard(ahead, START, START)}
    found = Heard(behind, START + 2 * SECOND, START + 2 * SECOND)
    assert hearing.heard({"a": behind}, START + 2 * SECOND) == {"a": found}
    assert hearing.heard({"a": behind}, START + 3 * SECOND) == {"a": found}
    assert hearing.heard({}, START + 4 * SECOND) == {}


def test_nothing_was_written_later_than_now_though_the_clock_went_back() -> None:
    hearing: Hearing[str] = Hearing()
    hearing.heard({"a": START}, START)
    earlier = START - 60 * SECOND

    assert hearing.heard({"a": START}, earlier) == {"a": Heard(START, earlier, earlier)}
