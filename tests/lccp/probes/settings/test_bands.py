"""Signals of both bands."""

import pytest

from lccp.contract.signals import Role, Signal
from lccp.probes.settings.bands import both, quantity


@pytest.mark.parametrize(
    ("role", "within"),
    [
        (Role.PRIMARY, Role.GUARD),
        (Role.CEILING, Role.SHOWN),
        (Role.WATCHED, Role.SHOWN),
        (Role.SHOWN, Role.SHOWN),
    ],
)
def test_the_likes_of_the_guard_band_bear_its_name_and_decide_nothing_but_as_guards(
    role: Role, within: Role
) -> None:
    declared = Signal(name="ppl/4", title="PPL among 4", unit="PPL", role=role)

    beyond, guard = both([declared])

    assert beyond == declared.model_copy(update={"band": "extension"})
    assert (guard.name, guard.title, guard.unit) == (
        "ppl_guard/4",
        "PPL among 4, guard band",
        "PPL",
    )
    assert (guard.role, guard.band) == (within, "guard")
    assert quantity(guard) == quantity(beyond) == "ppl"


def test_those_of_the_extension_band_come_first() -> None:
    declared = [Signal(name=name, title=name, unit="nats") for name in ("a", "b")]

    assert [one.name for one in both(declared)] == ["a", "b", "a_guard", "b_guard"]
