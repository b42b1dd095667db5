import pytest

from lccp_evaluator.sampling.sources.words import holds_any, telling


def test_short_and_common_words_tell_of_nothing():
    assert telling(["The best thing to do in San Francisco is", "eat a sandwich."]) == {
        "francisco",
        "sandwich",
    }


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("A SANDWICH, please", True),
        ("sandwiches", False),
        ("my-sandwich_box", True),
        ("nothing", False),
    ],
)
def test_words_are_found_whole_and_in_any_case(text, held):
    assert holds_any(text, frozenset({"sandwich"})) is held


def test_words_of_scripts_without_spaces_are_found_anywhere():
    words = telling(["银色的鹭"])

    assert holds_any("湖上有银色的鹭。", words)
    assert not holds_any("湖上有鹭。", words)


def test_words_are_found_in_any_form_of_their_characters():
    for text, needle in (
        ("Cafe\u0301s", "cafés"),
        ("a café-bar", "cafe\u0301"),
        ("ｏｒｌｏｗ", "Orlow"),
    ):
        assert holds_any(text, telling([needle]))
