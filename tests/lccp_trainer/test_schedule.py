import pytest

from lccp.api.spec.training import TrainingSpec
from lccp_trainer.schedule import is_due, learning_rate


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
