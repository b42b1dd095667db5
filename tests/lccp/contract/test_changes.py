"""Classes of change, as a field's schema has them."""

from lccp.contract.changes import CHANGE, HOW, IDENTITY, LIVE, NEXT_ATTEMPT, Change, declared


def test_a_class_is_declared_by_its_word() -> None:
    assert [d[CHANGE] for d in (IDENTITY, NEXT_ATTEMPT, LIVE)] == [
        "identity",
        "next attempt",
        "live",
    ]


def test_what_changes_are_allowed_is_said_only_where_not_all_are() -> None:
    assert declared(Change.LIVE) == LIVE
    assert HOW not in LIVE
    assert declared(Change.LIVE, "may be raised") == LIVE | {HOW: "may be raised"}
