import pytest

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.schedule import check_budget, is_due, kept, learning_rate, reaches_multiple


def training(**schedule: object) -> TrainingSpec:
    document = {
        "tokens": 1000,
        "globalBatchTokens": 10,
        "learningRate": "0.5",
        "schedule": schedule,
    }
    return TrainingSpec.parse(document, "training")


def test_the_rate_rises_linearly_from_zero_over_the_warm_up() -> None:
    spec = training(warmupTokens=200)
    rates = [learning_rate(spec, tokens) for tokens in (0, 50, 100, 200)]
    assert rates == pytest.approx([0, 0.125, 0.25, 0.5])


def test_a_constant_rate_stays() -> None:
    assert learning_rate(training(), 10) == learning_rate(training(), 1000) == 0.5


@pytest.mark.parametrize(("kind", "middle"), [("Linear", 0.3), ("Cosine", 0.3)])
def test_a_decaying_rate_ends_at_its_final_fraction(kind: str, middle: float) -> None:
    spec = training(type=kind, warmupTokens=200, finalFraction="0.2")
    rates = [learning_rate(spec, tokens) for tokens in (200, 600, 1000, 1010)]
    assert rates == pytest.approx([0.5, middle, 0.1, 0.1])


def test_a_cosine_falls_slowly_at_first() -> None:
    cosine, line = (training(type=kind) for kind in ("Cosine", "Linear"))
    assert learning_rate(cosine, 100) > learning_rate(line, 100)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(0, 99, False), (0, 100, True), (99, 150, True), (100, 150, False), (190, 310, True)],
)
def test_a_checkpoint_is_made_by_the_first_step_that_reaches_it(
    before: int, after: int, expected: bool
) -> None:
    assert is_due((100, 200, 300), before, after) is expected


def test_wsd_is_stable_until_its_decay() -> None:
    spec = training(type="WSD", warmupTokens=200, decayTokens=400, finalFraction="0.2")
    rates = [learning_rate(spec, tokens) for tokens in (100, 200, 600, 800, 1000)]
    assert rates == pytest.approx([0.25, 0.5, 0.5, 0.3, 0.1])


@pytest.mark.parametrize(
    "schedule", [{}, {"decayTokens": 900, "warmupTokens": 200}, {"decayTokens": 1001}]
)
def test_wsd_needs_a_decay_that_fits(schedule: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="WSD needs decayTokens"):
        training(type="WSD", **schedule)


@pytest.mark.parametrize(
    ("schedule", "tokens", "refused"),
    [
        ({"type": "Constant"}, 700, False),
        ({"type": "Cosine"}, 700, True),
        ({"type": "Linear", "warmupTokens": 200}, 100, False),
        ({"type": "WSD", "decayTokens": 200}, 500, False),
        ({"type": "WSD", "decayTokens": 200}, 700, True),
    ],
)
def test_another_budget_is_refused_once_the_rate_has_decayed(
    schedule: dict[str, object], tokens: int, refused: bool
) -> None:
    spec = training(**schedule)
    check_budget(spec, tokens, old_budget=1000)
    if not refused:
        check_budget(spec, tokens, old_budget=800)
        return
    with pytest.raises(
        InvalidInput, match=r"^training\.tokens: 1000 instead .* set it back to 800"
    ):
        check_budget(spec, tokens, old_budget=800)


@pytest.mark.parametrize(
    ("every", "before", "after", "expected"),
    [(None, 0, 500, False), (100, 0, 99, False), (100, 99, 100, True), (100, 100, 190, False)],
)
def test_a_state_is_due_at_every_multiple(
    every: int | None, before: int, after: int, expected: bool
) -> None:
    assert reaches_multiple(every, before, after) is expected


def test_the_newest_states_are_kept() -> None:
    assert kept([10, 20, 30, 40], newest=2, every=None) == {30, 40}


def test_one_state_in_every_stretch_is_kept_for_ever() -> None:
    states: list[int] = []
    for tokens in range(40, 1_000, 40):
        states = sorted(kept([*states, tokens], newest=2, every=200))
    assert states == [200, 400, 600, 800, 920, 960]
