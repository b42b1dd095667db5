from lccp_evaluator.progress import Done, Remaining


def test_the_time_left_goes_with_tokens_not_with_samples() -> None:
    now = iter((0.0, 10.0, 30.0))
    remaining = Remaining(lambda: next(now))
    assert remaining.seconds(Done(0, 100, 0.0)) is None
    assert remaining.seconds(Done(0, 100, 0.25)) == 30
    assert remaining.seconds(Done(90, 100, 0.5)) == 30


def test_what_was_read_before_tells_no_speed() -> None:
    now = iter((0.0, 5.0))
    remaining = Remaining(lambda: next(now))
    assert remaining.seconds(Done(50, 100, 0.5)) is None
    assert remaining.seconds(Done(75, 100, 0.75)) == 5
