"""Pieces of HTML: complete, and with all text from outside escaped."""

from collections.abc import Callable

import pytest
from pages import Page

from lccp.api.objects.verdict import VerdictState
from lccp.report.page import html

EVIL = "<b>&\"x'</b>"
PIECES: dict[str, Callable[[], str]] = {
    "section": lambda: html.section(EVIL, ""),
    "cards": lambda: html.cards([(EVIL, EVIL, EVIL)]),
    "table": lambda: html.table([EVIL], []),
    "bullets": lambda: html.bullets([EVIL]),
    "facts": lambda: html.facts([(EVIL, EVIL)]),
    "folded": lambda: html.folded(EVIL, EVIL),
    "plot": lambda: html.plot("{}", EVIL),
}


@pytest.mark.parametrize("made", PIECES.values(), ids=PIECES)
def test_what_comes_from_outside_is_text(made: Callable[[], str]) -> None:
    assert "<b>" not in made()
    assert EVIL in "".join(Page(made()).words)


def test_a_table_has_numbers_to_the_right_and_text_to_the_left() -> None:
    made = html.table(["a", "b"], [["1", "<i>x</i>"], ["2", "y"]], text=(1,))

    assert '<th>a</th><th class="text">b</th>' in made
    assert made.count('<td class="text">') == 2
    assert "<i>x</i>" in made


def test_a_row_of_another_length_is_no_row() -> None:
    with pytest.raises(ValueError, match="zip"):
        html.table(["a", "b"], [["1"]])


def test_a_figure_cannot_end_the_script_that_holds_it() -> None:
    made = html.plot('{"x": "</script>"}', "c")

    assert made.count("</script>") == 1
    assert '{"x": "<\\/script>"}' in made


@pytest.mark.parametrize("state", VerdictState)
def test_a_state_is_told_in_words(state: VerdictState) -> None:
    assert "".join(Page(html.state(state)).words).replace(" ", "") == state.value.lower()


def test_only_a_long_section_is_marked() -> None:
    assert html.section("t", "b").startswith("<section>")
    assert html.section("t", "b", long=True).startswith('<section class="long">')
